-- The control schema: what is deployed, what was written, who runs what. See docs/semantics.md for the promises.
-- Table rows themselves lie in one schema an app (`<schema>_data`), readable through views (`<schema>`).

create table patterns_os.apps (
    id int generated always as identity primary key,
    name text not null unique,
    schema_name text not null unique,
    role_name text,                    -- the role of the app's launchers; null: they share the owner's
    active bigint,                     -- the version that may be claimed
    created_at timestamptz not null default clock_timestamp()
);

create table patterns_os.versions (
    id bigint generated always as identity primary key,
    app int not null references patterns_os.apps,
    hash text not null,
    plan jsonb not null,
    parent bigint,
    at timestamptz not null default clock_timestamp()
);

-- Locking the row of a table is the right to write to it. The row itself is never updated (see ADR 0004).
create table patterns_os.tables (
    id int generated always as identity (maxvalue 1048575) primary key,
    app int not null references patterns_os.apps,
    name text not null,
    created_at timestamptz not null default clock_timestamp(),
    unique (app, name)
);

create table patterns_os.table_options (
    table_id int primary key references patterns_os.tables,
    unique_on text[] not null default '{}',
    retention jsonb not null default '{}'
);

-- The log of all writes. A commit's rows have the positions (last - n, last]; blocks tile (0, watermark].
-- `base`: positions up to here belong to versions before the active one.
create table patterns_os.commits (
    table_id int not null,
    last bigint not null,
    n bigint not null check (n > 0),
    base bigint not null,
    version int not null,
    kind text not null,
    run bigint,
    input_table int,
    input_from bigint,
    input_to bigint,
    hops int not null default 0,
    trace text,
    at timestamptz not null default clock_timestamp(),
    primary key (table_id, last)
);

create table patterns_os.nodes (
    id int generated always as identity primary key,
    app int not null references patterns_os.apps,
    name text not null,
    kind text not null,
    content text not null,
    trigger_when text not null default 'any',
    retired_at timestamptz,
    unique (app, name)
);

-- A consumer: how far a node has got in a table. `cursor`: rows up to here are done. `seen`: the watermark
-- before the last successful run began. `moved`: that run moved the cursor.
create table patterns_os.inputs (
    node int not null references patterns_os.nodes,
    table_id int not null references patterns_os.tables,
    stream text not null default '',
    access text not null,
    triggering boolean not null,
    active boolean not null default true,
    cursor bigint not null default 0,
    seen bigint not null default 0,
    moved boolean not null default false,
    primary key (node, table_id, stream)
) with (fillfactor = 50);

create table patterns_os.lanes (
    node int not null references patterns_os.nodes,
    lane int not null default 0,
    state text not null default 'idle',
    token bigint not null default 0,
    beat bigint not null default 0,
    launcher text,
    run bigint,
    not_before timestamptz,
    attempts int not null default 0,       -- failures in a row of what is tried now
    deaths int not null default 0,         -- deaths of the machinery in a row
    dead_in_row int not null default 0,    -- records set aside in a row
    narrow jsonb,                          -- {"table", "stream", "before": p} or {…, "alone": p}: retry smaller
    error jsonb,                           -- the last failure, until the next success
    claimed_at timestamptz,
    primary key (node, lane)
) with (fillfactor = 50);

create table patterns_os.launchers (
    id text primary key,
    app int not null references patterns_os.apps,
    kind text not null,
    host text not null,
    pid int not null,
    beat bigint not null default 0,
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz
);

create table patterns_os.runs (
    id bigint generated always as identity primary key,
    app int not null,
    node int not null,
    lane int not null,
    version bigint not null,
    reason text not null,
    request bigint,
    state text not null default 'running',
    attempt int not null,
    token bigint not null,
    launcher text not null,
    inputs jsonb not null,
    rows_in bigint not null default 0,
    rows_out bigint not null default 0,
    error jsonb,
    claimed_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz
) with (fillfactor = 70);
create index runs_of_node on patterns_os.runs (node, id desc);
create index runs_of_app on patterns_os.runs (app, id desc);

create table patterns_os.requests (
    id bigint generated always as identity primary key,
    app int not null,
    node int not null references patterns_os.nodes,
    kind text not null,
    key text not null,                     -- a tick or a click exists once, whoever races
    payload jsonb not null default '{}',
    state text not null default 'pending',
    due_at timestamptz not null default clock_timestamp(),
    attempts int not null default 0,
    at timestamptz not null default clock_timestamp(),
    unique (node, key)
);
create index requests_pending on patterns_os.requests (node, due_at) where state = 'pending';

create table patterns_os.schedules (
    node int primary key references patterns_os.nodes,
    expression text not null,
    timezone text not null,
    next_at timestamptz not null
);

-- Records that were set aside, with their content: dead letters, sleeps and approvals.
create table patterns_os.held (
    id bigint generated always as identity primary key,
    app int not null,
    node int not null references patterns_os.nodes,
    table_id int not null,
    stream text not null default '',
    position bigint not null,
    why text not null,
    until timestamptz,
    attempts int not null default 0,
    error jsonb,
    answer jsonb,
    content jsonb not null,
    run bigint,
    at timestamptz not null default clock_timestamp(),
    unique (node, table_id, stream, position)
);

create table patterns_os.states (
    node int not null references patterns_os.nodes,
    lane int not null default 0,
    key text not null,
    value jsonb not null,
    primary key (node, lane, key)
);

create table patterns_os.once (
    node int not null references patterns_os.nodes,
    record text not null,
    key text not null,
    status text not null,
    result jsonb,
    token bigint not null,
    at timestamptz not null default clock_timestamp(),
    primary key (node, record, key)
);

create table patterns_os.deliveries (
    id bigint generated always as identity primary key,
    app int not null,
    webhook text not null,
    status text not null,                  -- accepted or rejected
    reason text,
    headers jsonb not null default '{}',
    body bytea not null,
    dedupe text,
    table_id int,
    first_position bigint,
    last_position bigint,
    at timestamptz not null default clock_timestamp()
);
create index deliveries_of_webhook on patterns_os.deliveries (app, webhook, id desc);

create table patterns_os.logs (
    id bigint generated always as identity primary key,
    app int not null,
    node int not null,
    run bigint,
    stream text not null,
    line text not null,
    at timestamptz not null default clock_timestamp()
);
create index logs_of_node on patterns_os.logs (node, id desc);
