-- What is known of a delivery beside its body, and the ids by which it is known when it comes again.

alter table patterns_os.deliveries add column query text not null default '';
alter table patterns_os.deliveries add column verdict text not null default 'unchecked';  -- verified, refused
alter table patterns_os.deliveries add column secret text;                -- name of the secret that fitted
alter table patterns_os.deliveries add column whole boolean not null default true;  -- false: the body is cut
alter table patterns_os.deliveries add column repeats bigint;             -- the delivery that this one replays
alter table patterns_os.deliveries drop column dedupe;

-- Few, and only the newest are kept where senders are refused.
create index deliveries_not_accepted on patterns_os.deliveries (app, webhook, id desc) where status <> 'accepted';

create table patterns_os.delivery_keys (
    app int not null,
    webhook text not null,
    key bytea not null,                -- SHA-256 of what tells deliveries apart
    delivery bigint not null,          -- the first one
    answer jsonb not null,             -- what its sender was answered
    repeats int not null default 0,    -- how often it came again
    at timestamptz not null default clock_timestamp(),
    primary key (app, webhook, key)
);
create index delivery_keys_of_delivery on patterns_os.delivery_keys (delivery) where repeats > 0;
create index delivery_keys_old on patterns_os.delivery_keys using brin (at);
