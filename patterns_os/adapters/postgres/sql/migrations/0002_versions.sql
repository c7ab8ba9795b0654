-- Who deployed each version, and how; and the source files that versions run, each content once an app.

alter table patterns_os.versions add column deployed_by text not null default '';
alter table patterns_os.versions add column how text not null default '';  -- the command: deploy, dev, rollback, …

create table patterns_os.sources (
    app int not null references patterns_os.apps,
    hash text not null,                -- SHA-256 of the bytes, in hex: plans name sources by it
    bytes bytea not null,
    primary key (app, hash)
);
