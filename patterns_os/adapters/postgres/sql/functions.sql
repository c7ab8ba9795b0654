-- The protocol: the only way in which launchers and services write. Each function is one transaction.
-- A function's name ends in the version of its contract; a launcher of the version before keeps its own.
-- All run as their owner, and check who called them. The search path is fixed, with pg_temp named last: else a
-- caller's temporary table called pg_class would be taken for the catalog.

-- The lower-case Crockford digits of the low 30 bits of a number, six characters.
create or replace function patterns_os.base32_low(_value bigint) returns text
language sql immutable parallel safe as $$
    select substr('0123456789abcdefghjkmnpqrstvwxyz', ((_value >> 25) & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', ((_value >> 20) & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', ((_value >> 15) & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', ((_value >> 10) & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', ((_value >> 5) & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (_value & 31)::int + 1, 1)
$$;

-- The first 14 characters of the ids of a commit: 48 bits of time (ms) and 20 bits of table.
create or replace function patterns_os.id_prefix(_at timestamptz, _table int) returns text
language sql stable parallel safe as $$
    select substr(patterns_os.base32_low(ms >> 30), 3, 4) || patterns_os.base32_low(ms)
        || substr(patterns_os.base32_low(_table), 3, 4)
    from (select (extract(epoch from _at) * 1000)::bigint) as time(ms)
$$;

-- The newest commit of a table: its watermark, and where its active version begins. (0, 0) before any.
create or replace function patterns_os.head(_table int, out last bigint, out base bigint, out version int, out at timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
    select c.last, c.base, c.version, c.at into last, base, version, at
    from patterns_os.commits c where c.table_id = _table order by c.last desc limit 1;
    if not found then last := 0; base := 0; version := 1; at := '-infinity'; end if;
end $$;

create or replace function patterns_os.base_of(_table int) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce((select c.base from patterns_os.commits c where c.table_id = _table order by c.last desc limit 1), 0)
$$;

-- Whether the caller may act for the app: its own role, or a member of the owner's.
create or replace function patterns_os.check_caller(_app int) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if pg_has_role(session_user, (select nspowner from pg_namespace where nspname = 'patterns_os'), 'member') then
        return;
    end if;
    if not exists (select 1 from patterns_os.apps a where a.id = _app and a.role_name = session_user) then
        raise exception 'role "%" may not act for app %', session_user, _app using errcode = '42501';
    end if;
end $$;

-- The physical relation of a table's rows, quoted.
create or replace function patterns_os.relation(_table int) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select format('%I.%I', a.schema_name || '_data', t.name)
    from patterns_os.tables t join patterns_os.apps a on a.id = t.app where t.id = _table
$$;

-- The user's columns of a table, in order: [{"name", "type"}].
create or replace function patterns_os.columns_v1(_table int) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, null))
                              order by a.attnum), '[]')
    from pg_attribute a
    where a.attrelid = patterns_os.relation(_table)::regclass
      and a.attnum > 3 and not a.attisdropped
$$;

create or replace function patterns_os.refresh_view(_table int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _columns text;
    _view text;
    _role text;
begin
    select string_agg(format(', %I', c.value ->> 'name'), '' order by c.ordinality) into _columns
    from jsonb_array_elements(patterns_os.columns_v1(_table)) with ordinality c;
    select format('%I.%I', a.schema_name, t.name), a.role_name into _view, _role
    from patterns_os.tables t join patterns_os.apps a on a.id = t.app where t.id = _table;
    -- The scalar subquery is evaluated once a query, not once a row.
    execute format('create or replace view %s as select patterns_id%s from %s '
                   'where patterns_position > (select patterns_os.base_of(%s))',
                   _view, coalesce(_columns, ''), patterns_os.relation(_table), _table);
    if _role is not null then execute format('grant select on %s to %I', _view, _role); end if;
end $$;

-- Makes the table if it is not there; gives its id. May be repeated.
create or replace function patterns_os.create_table_v1(_app int, _name text) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _id int;
    _role text;
begin
    perform patterns_os.check_caller(_app);
    perform pg_advisory_xact_lock(hashtextextended('patterns_os.create_table', _app));
    select t.id into _id from patterns_os.tables t where t.app = _app and t.name = _name;
    if found then return _id; end if;
    insert into patterns_os.tables (app, name) values (_app, _name) returning id into _id;
    insert into patterns_os.table_options (table_id) values (_id);
    execute format('create table %s (patterns_position bigint primary key, patterns_id text not null, patterns_more jsonb)',
                   patterns_os.relation(_id));
    select a.role_name into _role from patterns_os.apps a where a.id = _app;
    if _role is not null then execute format('grant select on %s to %I', patterns_os.relation(_id), _role); end if;
    perform patterns_os.refresh_view(_id);
    return _id;
end $$;

-- Adds the columns that are not there ([["name", "type"]] keeps their order, {"name": "type"} doesn't), in a
-- transaction of its own that waits for nobody:
-- where a reader is in the way, lock_not_available is raised and the values stay in patterns_more.
create or replace function patterns_os.add_columns_v1(_table int, _columns jsonb) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
declare
    _column record;
    _wanted text := '';
    _app int;
begin
    select t.app into _app from patterns_os.tables t where t.id = _table;
    perform patterns_os.check_caller(_app);
    for _column in
        select c.value ->> 0 as key, c.value ->> 1 as type
        from jsonb_array_elements(
            case jsonb_typeof(_columns) when 'array' then _columns
            else (select coalesce(jsonb_agg(jsonb_build_array(o.key, o.value)), '[]') from jsonb_each(_columns) o) end
        ) with ordinality c(value, n) order by c.n
    loop
        if _column.type not in ('bool', 'bigint', 'double precision', 'text', 'timestamptz', 'date', 'numeric', 'bytea', 'jsonb') then
            raise exception 'no column type "%"', _column.type using errcode = '22023';
        end if;
        _wanted := _wanted || format(', add column if not exists %I %s', _column.key, _column.type);
    end loop;
    if _wanted <> '' then
        execute format('alter table %s %s', patterns_os.relation(_table), substr(_wanted, 3));
        perform patterns_os.refresh_view(_table);
    end if;
    return patterns_os.columns_v1(_table);
end $$;

-- Declares the key columns of a table, if they are columns.
create or replace function patterns_os.unique_on_v1(_table int, _columns text[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform patterns_os.check_caller((select t.app from patterns_os.tables t where t.id = _table));
    update patterns_os.table_options o set unique_on = _columns where o.table_id = _table and o.unique_on <> _columns;
end $$;

-- A staging table of this session for one operation on a table: the caller may insert, and no more.
create or replace function patterns_os.stage_v1(_table int, _operation int) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _name text := format('patterns_stage_%s_%s', _table, _operation);
    _columns text;
    _app int;
begin
    select t.app into _app from patterns_os.tables t where t.id = _table;
    perform patterns_os.check_caller(_app);
    select string_agg(format('%I %s, ', c.value ->> 'name', c.value ->> 'type'), '' order by c.ordinality) into _columns
    from jsonb_array_elements(patterns_os.columns_v1(_table)) with ordinality c;
    execute format('drop table if exists pg_temp.%I', _name);
    execute format('create temporary table %I (%s patterns_more jsonb)', _name, coalesce(_columns, ''));
    execute format('grant insert on pg_temp.%I to %I', _name, session_user);
    return format('pg_temp.%I', _name);
end $$;

-- Writes one block. The caller holds the lock of the table (taken in an earlier statement: the head read
-- here must be newer than the wait). Gives the watermark after it and how many rows changed.
create or replace function patterns_os.write_block(
    _table int, _kind text, _columns text[], _rows jsonb, _stage text, _run bigint,
    _input jsonb, _hops jsonb, _trace text, out last bigint, out written bigint
) language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    _relation text := patterns_os.relation(_table);
    _head record;
    _at timestamptz;
    _source text;
    _names text;
    _plain text;
    _keys text[];
    _same bigint;
    _base bigint;
    _version int;
    _positions bigint;
begin
    select * into _head from patterns_os.head(_table);
    _at := greatest(clock_timestamp(), _head.at);
    _base := _head.base;
    _version := _head.version;
    _columns := coalesce(_columns, '{}');
    select coalesce(string_agg(format('%I, ', name), ''), '') into _plain from unnest(_columns) name;
    _names := _plain || 'patterns_more';

    if _kind = 'reset' then
        written := 0;
    else
        if _stage is not null then
            if not exists (select 1 from pg_class c where c.oid = _stage::regclass and c.relpersistence = 't'
                           and c.relowner = (select n.nspowner from pg_namespace n where n.nspname = 'patterns_os')) then
                raise exception 'staging table "%" is not ours', _stage using errcode = '42501';
            end if;
            _source := format('(select row_number() over () as patterns_n, %s from %s)', _names, _stage);
        else
            select format('(select r.patterns_ordinality as patterns_n, %s from rows from (jsonb_to_recordset($1) as (%s patterns_more jsonb)) '
                          'with ordinality as r(%s, patterns_ordinality))', _names,
                          coalesce(string_agg(format('%I %s, ', wanted.name, c.value ->> 'type'), '' order by wanted.n), ''), _names)
            into _source
            from unnest(_columns) with ordinality wanted(name, n)
            join jsonb_array_elements(patterns_os.columns_v1(_table)) c on c.value ->> 'name' = wanted.name;
        end if;

        if _kind = 'replace' then
            -- Same number of rows and the same sum of hashes, over all columns of the table in one order.
            execute format(
                'select case when (select count(*) from %1$s new) = (select count(*) from %2$s old where patterns_position > $2) '
                'and (select coalesce(sum(hashtextextended(row(%3$s)::text, 0)), 0) from %1$s new) '
                ' = (select coalesce(sum(hashtextextended(row(%4$s)::text, 0)), 0) from %2$s old where patterns_position > $2) '
                'then 1 else 0 end', _source, _relation,
                (select coalesce(string_agg(case when c.value ->> 'name' = any(_columns) then format('new.%I, ', c.value ->> 'name')
                                        else format('null::%s, ', c.value ->> 'type') end, '' order by c.ordinality), '')
                 from jsonb_array_elements(patterns_os.columns_v1(_table)) with ordinality c) || 'new.patterns_more',
                (select coalesce(string_agg(format('old.%I, ', c.value ->> 'name'), '' order by c.ordinality), '')
                 from jsonb_array_elements(patterns_os.columns_v1(_table)) with ordinality c) || 'old.patterns_more')
            into _same using _rows, _head.base;
            if _same = 1 and _head.last > 0 then
                last := _head.last; written := 0;
                return;
            end if;
            _base := _head.last;
            _version := _head.version + 1;
        end if;

        if _kind = 'upsert' then
            select o.unique_on into _keys from patterns_os.table_options o where o.table_id = _table;
            if coalesce(cardinality(_keys), 0) = 0 then
                raise exception 'table "%" has no unique_on', (select t.name from patterns_os.tables t where t.id = _table)
                    using errcode = 'PT002';
            end if;
            -- The last of several rows with one key wins; a row that changes nothing keeps its position.
            execute format(
                'create temporary table patterns_upsert on commit drop as '
                'select row_number() over (order by patterns_order) as patterns_n, %1$s from ('
                '  select distinct on (%2$s) patterns_n as patterns_order, %1$s from %3$s s order by %2$s, patterns_n desc) s '
                'where not exists (select 1 from %4$s r where r.patterns_position > $2 and (%5$s) '
                '  and row(%6$s) is not distinct from row(%7$s))',
                _names, (select string_agg(format('%I', k), ', ') from unnest(_keys) k), _source, _relation,
                (select string_agg(format('r.%1$I is not distinct from s.%1$I', k), ' and ') from unnest(_keys) k),
                (select string_agg(format('r.%I', c), ', ') from unnest(_columns || 'patterns_more'::text) c),
                (select string_agg(format('s.%I', c), ', ') from unnest(_columns || 'patterns_more'::text) c))
            using _rows, _base;
            execute format('delete from %s r using patterns_upsert s where r.patterns_position > $1 and %s', _relation,
                           (select string_agg(format('r.%1$I is not distinct from s.%1$I', k), ' and ') from unnest(_keys) k))
            using _base;
            _source := format('(select patterns_n, %s from patterns_upsert)', _names);
        end if;

        -- The high digits of the position are the same for the whole block, but for one block in a billion.
        execute format(
            'insert into %s (patterns_position, patterns_id, %s) select $2 + patterns_n, '
            'case when ($2 + patterns_n) >> 30 = $2 >> 30 then $3 else $4 || patterns_os.base32_low(($2 + patterns_n) >> 30) end '
            '|| patterns_os.base32_low($2 + patterns_n), %s from %s s %s',
            _relation, _names, _names, _source, case when _stage is null then 'order by patterns_n' else '' end)
        using _rows, _head.last, patterns_os.id_prefix(_at, _table) || patterns_os.base32_low(_head.last >> 30),
              patterns_os.id_prefix(_at, _table);
        get diagnostics written = row_count;
        if _kind = 'upsert' then drop table pg_temp.patterns_upsert; end if;
    end if;

    _positions := written;
    if written = 0 then
        if _kind not in ('reset', 'replace') then
            last := _head.last;
            return;
        end if;
        -- An empty version is something new to see: it takes one position that no row has.
        _positions := 1;
        _base := _head.last + 1;
        _version := _head.version + 1;
    end if;
    last := _head.last + _positions;
    insert into patterns_os.commits (table_id, last, n, base, version, kind, run, input_table, input_from, input_to, hops, trace, at)
    values (_table, last, _positions, _base, _version, _kind, _run, (_input ->> 'table')::int, (_input ->> 'from')::bigint,
            (_input ->> 'to')::bigint, _hops, _trace, _at);
end $$;

-- Whether any (or all) of a node's triggering inputs are new, or a request waits. The planner puts it in line.
create or replace function patterns_os.is_due(_node int, _when text) returns boolean
language sql stable as $$
    select exists (select 1 from patterns_os.requests r
                   where r.node = _node and r.state = 'pending' and r.due_at <= clock_timestamp())
        or case when _when = 'all' then
            exists (select 1 from patterns_os.inputs i where i.node = _node and i.active and i.triggering)
            and not exists (
                select 1 from patterns_os.inputs i
                cross join lateral (select coalesce((select c.last from patterns_os.commits c where c.table_id = i.table_id
                                                     order by c.last desc limit 1), 0)) as head(last)
                where i.node = _node and i.active and i.triggering
                  and not (head.last > i.seen or (i.access = 'stream' and head.last > i.cursor and i.moved)))
        else exists (
                select 1 from patterns_os.inputs i
                cross join lateral (select c.last from patterns_os.commits c where c.table_id = i.table_id
                                    order by c.last desc limit 1) as head(last)
                where i.node = _node and i.active and i.triggering
                  and (head.last > i.seen or (i.access = 'stream' and head.last > i.cursor and i.moved)))
        end
$$;

-- What of a commit's hops counts in a circle: how often its rows have been through each node that bounds it.
create or replace function patterns_os.hops_in(_hops jsonb, _circle text[]) returns jsonb
language sql immutable parallel safe as $$
    select case when _hops is null then '{}' else
        coalesce((select jsonb_object_agg(h.key, h.value) from jsonb_each(_hops) h where h.key = any(_circle)), '{}') end
$$;

-- The rows after `_from` that have come round equally often, up to `upto`; null where there are none. `at`: when
-- the first of them were written. It looks at a thousand commits at most: the rest is another stretch.
create or replace function patterns_os.stretch(
    _table int, _from bigint, _to bigint, _circle text[], out hops jsonb, out upto bigint, out at timestamptz
) language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    _commit record;
begin
    if _from >= _to then
        return;
    end if;
    for _commit in
        select c.last, c.at, patterns_os.hops_in(c.hops, _circle) as hops from patterns_os.commits c
        where c.table_id = _table and c.last > _from order by c.last limit 1000
    loop
        if upto is null then
            hops := _commit.hops; at := _commit.at;
        end if;
        exit when _commit.hops <> hops;
        upto := least(_commit.last, _to);
        exit when upto = _to;
    end loop;
end $$;

-- Sets aside what has come round as often as the node allows, and goes past it; tells whether there was any.
-- Of a stream each row is held. Of a table that is read there is no row to hold, but a start that does not happen:
-- all that is new there has come round too often.
create or replace function patterns_os.hold_come_round(_app int, _node int, _circle text[], _max int) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    _input record;
    _part record;
    _name text := (select n.name from patterns_os.nodes n where n.id = _node);
    _error jsonb;
    _from bigint;
    _count bigint;
    _total bigint := 0;
    _any boolean := false;
begin
    _error := jsonb_build_object('family', 'node', 'code', 'max-hops', 'message', format(
        'it has come round %s, which is the max_hops of "%s"', case _max when 1 then 'once' else _max || ' times' end, _name),
        'hint', 'patterns held retry delivers it once more; a larger max_hops lets rows come round more often');
    for _input in
        select i.table_id, i.stream, i.access, i.seen, greatest(i.cursor, h.base) as cursor, h.last
        from patterns_os.inputs i cross join lateral patterns_os.head(i.table_id) h
        where i.node = _node and i.active and i.triggering
        order by i.table_id, i.stream
    loop
        if _input.access = 'read' then
            continue when _input.last <= _input.seen or exists (
                select 1 from patterns_os.commits c
                where c.table_id = _input.table_id and c.last > _input.seen
                  and coalesce((c.hops ->> _node::text)::int, 0) < _max);
            insert into patterns_os.held (app, node, table_id, stream, position, why, error, content)
            values (_app, _node, _input.table_id, _input.stream, _input.last, 'dead', _error, '{}')
            on conflict (node, table_id, stream, position) do nothing;
            update patterns_os.inputs i set seen = _input.last
            where i.node = _node and i.table_id = _input.table_id and i.stream = _input.stream;
            _any := true;
            _total := _total + 1;
            continue;
        end if;
        _from := _input.cursor;
        loop
            select * into _part from patterns_os.stretch(_input.table_id, _from, _input.last, _circle);
            exit when _part.upto is null or coalesce((_part.hops ->> _node::text)::int, 0) < _max;
            execute format(
                'insert into patterns_os.held (app, node, table_id, stream, position, why, error, content) '
                'select $1, $2, $3, $4, r.patterns_position, ''dead'', $5, to_jsonb(r) from %s r '
                'where r.patterns_position > $6 and r.patterns_position <= $7 '
                'on conflict (node, table_id, stream, position) do nothing', patterns_os.relation(_input.table_id))
            using _app, _node, _input.table_id, _input.stream, _error, _from, _part.upto;
            get diagnostics _count = row_count;
            _total := _total + _count;
            _from := _part.upto;
        end loop;
        if _from > _input.cursor then
            update patterns_os.inputs i set cursor = _from, seen = greatest(i.seen, _from), moved = true
            where i.node = _node and i.table_id = _input.table_id and i.stream = _input.stream;
            _any := true;
        end if;
    end loop;
    if _total > 0 then
        insert into patterns_os.logs (app, node, stream, line)
        values (_app, _node, 'stderr', format('%s set aside: %s', case _total when 1 then '1 record is' else _total || ' records are' end,
                                              _error ->> 'message'));
    end if;
    return _any;
end $$;

-- What a run passes on: the node itself is one further, if it bounds its circle.
create or replace function patterns_os.passed_on(_hops jsonb, _node int, _max int) returns jsonb
language sql immutable parallel safe as $$
    select case when _max is null then _hops
           else _hops || jsonb_build_object(_node::text, 1 + coalesce((_hops ->> _node::text)::int, 0)) end
$$;

-- Cuts the inputs of a claim of a node in a circle, so that all rows that trigger it have come round equally often:
-- else a new row would count as the oldest one that it shares a run with. The other streams are left for a later
-- run, but where the node waits for all of its inputs. Gives what the run passes on, too.
create or replace function patterns_os.cut_by_hops(
    _node int, _circle text[], _max int, _when text, _held jsonb, _inputs jsonb, out inputs jsonb, out hops jsonb
) language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
    if _held is not null then
        inputs := _inputs;
        hops := patterns_os.hops_in((select c.hops from patterns_os.commits c
            where c.table_id = (_held ->> 'table_id')::int and c.last >= (_held ->> 'position')::bigint
            order by c.last limit 1), _circle);
    else
        with given as (
            select g.ordinality as n, g.value as body, i.access, i.triggering, i.seen, s.hops, s.upto, s.at,
                   (g.value ->> 'last')::bigint > i.seen or i.moved as is_new
            from jsonb_array_elements(_inputs) with ordinality g
            join patterns_os.inputs i on i.node = _node and i.table_id = (g.value ->> 'table')::int
                and i.stream = g.value ->> 'stream'
            left join lateral patterns_os.stretch((g.value ->> 'table')::int, (g.value ->> 'from')::bigint,
                                                  (g.value ->> 'to')::bigint, _circle) s
                on i.access = 'stream' and i.triggering),
        chosen as (
            -- what has waited longest
            select g.hops from given g where g.upto is not null order by g.is_new desc, g.at, g.n limit 1),
        cut as (
            select g.n, g.body, g.upto, g.access, g.triggering, g.seen, g.hops,
                   g.upto is not null and (_when = 'all' or g.hops = (select c.hops from chosen c)) as is_given
            from given g)
        select jsonb_agg(case when c.upto is null then c.body
                              else c.body || jsonb_build_object('to', case when c.is_given then c.upto
                                                                           else (c.body ->> 'from')::bigint end)
                         end order by c.n),
               (select coalesce(jsonb_object_agg(most.key, most.count), '{}') from (
                    select h.key, max(h.value::int) as count from (
                        select p.hops from cut p where p.is_given
                        union all
                        select patterns_os.hops_in(k.hops, _circle) from cut p
                        join patterns_os.commits k on k.table_id = (p.body ->> 'table')::int and k.last > p.seen
                        where p.access = 'read' and p.triggering) from_inputs(hops), jsonb_each_text(from_inputs.hops) h
                    group by h.key) most)
        into inputs, hops
        from cut c;
    end if;
    hops := nullif(patterns_os.passed_on(coalesce(hops, '{}'), _node, _max), '{}');
end $$;

-- Claims what is due for a launcher: at most `_most` lanes, each with a new run, range and token.
-- What is due: see DESIGN 3.4 and patterns_os/triggers/due.py, which says the same as a pure function.
create or replace function patterns_os.claim_v1(_app int, _version bigint, _launcher text, _most int)
returns table (run bigint, token bigint, node text, lane int, reason text, attempt int, narrow jsonb,
               inputs jsonb, tables jsonb, request jsonb, held jsonb, state jsonb, attempts int, deaths int, dead_in_row int)
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _lane record;
    _request record;
    _inputs jsonb;
    _hops jsonb;
    _held jsonb;
    _reason text;
    _run bigint;
    _claimed int := 0;
    _went_past boolean := false;
begin
    perform patterns_os.check_caller(_app);
    -- A claim that a crash forgets was never made: what its run commits is flushed after it, or not at all.
    perform set_config('synchronous_commit', 'off', true);
    if _version is distinct from (select a.active from patterns_os.apps a where a.id = _app) then
        return;
    end if;
    for _lane in
        select l.node, l.lane, l.token, l.attempts, l.deaths, l.dead_in_row, l.narrow, n.name, n.trigger_when,
               n.circle, n.max_hops
        from patterns_os.lanes l join patterns_os.nodes n on n.id = l.node
        where n.app = _app and n.retired_at is null and n.kind <> 'webhook'
          and l.run is null and l.state not in ('paused', 'stopped')
          and (l.not_before is null or l.not_before <= clock_timestamp())
          and (l.narrow is not null or patterns_os.is_due(l.node, n.trigger_when))
        order by l.claimed_at nulls first, l.node
        limit _most
        for update of l skip locked
    loop
        _held := null; _hops := null;
        if _lane.circle is not null and _lane.max_hops is not null and _lane.narrow is null
           and patterns_os.hold_come_round(_app, _lane.node, _lane.circle, _lane.max_hops) then
            _went_past := true;
            continue when not patterns_os.is_due(_lane.node, _lane.trigger_when);
        end if;
        select r.id, r.kind, r.payload, r.attempts into _request from patterns_os.requests r
        where _lane.narrow is null and r.node = _lane.node and r.state = 'pending' and r.due_at <= clock_timestamp()
        order by r.due_at, r.id limit 1;
        if _request.kind = 'resume' then
            select to_jsonb(h) into _held from patterns_os.held h where h.id = (_request.payload ->> 'held')::bigint;
            if _held is null then
                update patterns_os.requests set state = 'done' where id = _request.id;
                continue;
            end if;
        end if;
        _reason := case when _lane.narrow is not null then 'retry' when _request.id is not null then _request.kind else 'rows' end;
        select coalesce(jsonb_agg(jsonb_build_object(
                   'table', i.table_id, 'name', t.name, 'stream', i.stream, 'access', i.access,
                   'last', h.last, 'base', h.base,
                   'from', greatest(i.cursor, h.base),
                   'to', case
                       when _held is not null then greatest(i.cursor, h.base)
                       when _lane.narrow is null then h.last
                       when i.table_id <> (_lane.narrow ->> 'table')::int or i.stream <> _lane.narrow ->> 'stream'
                           then greatest(i.cursor, h.base)
                       else least(h.last, greatest(i.cursor, h.base, coalesce((_lane.narrow ->> 'alone')::bigint,
                                                                               (_lane.narrow ->> 'before')::bigint - 1)))
                   end) order by i.table_id, i.stream), '[]')
        into _inputs
        from patterns_os.inputs i join patterns_os.tables t on t.id = i.table_id
        cross join lateral patterns_os.head(i.table_id) h
        where i.node = _lane.node and i.active;
        if _lane.circle is not null then
            select c.inputs, c.hops into _inputs, _hops
            from patterns_os.cut_by_hops(_lane.node, _lane.circle, _lane.max_hops, _lane.trigger_when, _held, _inputs) c;
        end if;
        insert into patterns_os.runs (app, node, lane, version, reason, request, attempt, token, launcher, inputs, hops)
        values (_app, _lane.node, _lane.lane, _version, _reason, _request.id,
                1 + coalesce(_request.attempts, _lane.attempts), _lane.token + 1, _launcher, _inputs, _hops)
        returning id into _run;
        update patterns_os.lanes l set run = _run, token = l.token + 1, launcher = _launcher, state = 'running',
               not_before = null, claimed_at = clock_timestamp()
        where l.node = _lane.node and l.lane = _lane.lane;
        if _request.id is not null then
            update patterns_os.requests set state = 'running' where id = _request.id;
        end if;
        run := _run; token := _lane.token + 1; node := _lane.name; lane := _lane.lane; reason := _reason;
        attempt := 1 + coalesce(_request.attempts, _lane.attempts); narrow := _lane.narrow; inputs := _inputs; held := _held;
        attempts := _lane.attempts; deaths := _lane.deaths; dead_in_row := _lane.dead_in_row;
        request := case when _request.id is not null then jsonb_build_object('id', _request.id, 'kind', _request.kind, 'payload', _request.payload) end;
        select coalesce(jsonb_object_agg(t.name, t.id), '{}') into tables
        from patterns_os.tables t where t.app = _app;
        select coalesce(jsonb_object_agg(s.key, s.value), '{}') into state
        from patterns_os.states s where s.node = _lane.node and s.lane = _lane.lane;
        return next;
        _claimed := _claimed + 1;
    end loop;
    if _went_past and _claimed < _most then
        -- Lanes that had only rows to go past took the places of others that are due.
        return query select * from patterns_os.claim_v1(_app, _version, _launcher, _most - _claimed);
    end if;
end $$;

-- The lane of a run, locked, if run and token are still its owner's; raises PT001 otherwise.
create or replace function patterns_os.own_lane(_run bigint, _token bigint) returns patterns_os.lanes
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _lane patterns_os.lanes;
    _owned record;
begin
    select r.app, r.node, r.lane into _owned from patterns_os.runs r where r.id = _run;
    if not found then
        raise exception 'run % does not exist', _run using errcode = 'PT001';
    end if;
    perform patterns_os.check_caller(_owned.app);
    select * into _lane from patterns_os.lanes l where l.node = _owned.node and l.lane = _owned.lane for update;
    if _lane.run is distinct from _run or _lane.token <> _token then
        raise exception 'run % no longer owns its lane', _run using errcode = 'PT001';
    end if;
    return _lane;
end $$;

-- Opens a further stream of a table that the run streams: a place of its own, at the beginning when it is new.
-- Gives it as one of the run's inputs, null where the run streams no such table. `_closed`: the run tries one
-- record again, and gets nothing of other streams.
create or replace function patterns_os.open_stream_v1(_run bigint, _token bigint, _table int, _stream text, _closed boolean)
returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _lane patterns_os.lanes;
    _given jsonb;
    _start bigint;
    _to bigint;
    _node record;
    _part record;
begin
    select i.value into _given from patterns_os.runs r, jsonb_array_elements(r.inputs) i
    where r.id = _run and (i.value ->> 'table')::int = _table and i.value ->> 'stream' = '' and i.value ->> 'access' = 'stream';
    _lane := patterns_os.own_lane(_run, _token);
    if _given is null then
        return null;
    end if;
    insert into patterns_os.inputs (node, table_id, stream, access, triggering)
    select i.node, i.table_id, _stream, i.access, i.triggering from patterns_os.inputs i
    where i.node = _lane.node and i.table_id = _table and i.stream = ''
    on conflict (node, table_id, stream) do update set active = true;
    select greatest(i.cursor, (_given ->> 'base')::bigint) into _start from patterns_os.inputs i
    where i.node = _lane.node and i.table_id = _table and i.stream = _stream;
    _to := case when _closed then _start else (_given ->> 'last')::bigint end;
    select n.circle, n.max_hops, r.hops into _node from patterns_os.nodes n, patterns_os.runs r
    where n.id = _lane.node and r.id = _run;
    if _node.circle is not null and (_given ->> 'last')::bigint > _start and not _closed
       and (select i.triggering from patterns_os.inputs i where i.node = _lane.node and i.table_id = _table and i.stream = _stream) then
        -- In a circle, rows that have not come round as often as the others of the run are left for a later one.
        select * into _part from patterns_os.stretch(_table, _start, _to, _node.circle);
        _to := case when patterns_os.passed_on(_part.hops, _lane.node, _node.max_hops) = coalesce(_node.hops, '{}')
                    then _part.upto else _start end;
    end if;
    _given := _given || jsonb_build_object('stream', _stream, 'from', _start, 'to', _to);
    update patterns_os.runs r set inputs = r.inputs || _given where r.id = _run;
    return _given;
end $$;

-- Sets rows aside that do not fit the table that they were written for: [{"number", "content", "error"}].
-- Such a row is no record of an input: `stream` says where it comes from, `position` its number there.
create or replace function patterns_os.hold_refused(
    _app int, _node int, _table int, _source text, _run bigint, _refused jsonb
) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    insert into patterns_os.held (app, node, table_id, stream, position, why, attempts, error, content, run)
    select _app, _node, _table, _source, (r.value ->> 'number')::bigint, 'refused', 1, r.value -> 'error',
           r.value -> 'content', _run
    from jsonb_array_elements(_refused) r join patterns_os.tables t on t.id = _table and t.app = _app
    on conflict (node, table_id, stream, position) do nothing
$$;

-- Writes a row that was held because it was refused, as it fits by now, and lets it go. May be repeated: gives
-- the table's watermark, null if the row is not held any more.
create or replace function patterns_os.take_refused_v1(_app int, _held bigint, _columns text[], _rows jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '10s' as $$
declare
    _table int;
    _run bigint;
    _block record;
begin
    perform patterns_os.check_caller(_app);
    select h.table_id, h.run into _table, _run from patterns_os.held h
    where h.id = _held and h.app = _app and h.why = 'refused' for update;
    if not found then
        return null;
    end if;
    perform 1 from patterns_os.tables t where t.id = _table for no key update;
    select * into _block from patterns_os.write_block(_table, 'append', _columns, _rows, null, null, null,
                                                      (select r.hops from patterns_os.runs r where r.id = _run), null);
    delete from patterns_os.held h where h.id = _held;
    return _block.last;
end $$;

-- THE commit: outputs, State, cursors and held records of a run's range, all or nothing.
--   inputs:  [{"table", "stream", "to", "from", "more"}]    how far the run has got; more: it has done rows
--                                                           beyond `to`, and left some before them
--   outputs: [{"table", "operations": [{"kind", "columns", "rows" | "stage"}]}]
--   state:   {"set": {key: value}, "delete": [key]}
--   seen:    [{"table", "last"}]                            for SQL nodes: the watermarks of their snapshot
--   refused: [{"table", "number", "content", "error"}]      rows that did not fit their table, held with the reason
--   end:     the run is over;  rows_in, release: [held id], trace, again: seconds until another run
-- Gives {"tables": {id: watermark}, "rows_out"}.
create or replace function patterns_os.commit_v1(_run bigint, _token bigint, _body jsonb) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set lock_timeout = '30s' as $$
declare
    _lane patterns_os.lanes;
    _output record;
    _operation record;
    _block record;
    _input jsonb := _body -> 'inputs' -> 0;
    _tables jsonb := '{}';
    _rows_out bigint := 0;
    _hops jsonb;
    _trace text := _body ->> 'trace';
    _app int;
    _cursor bigint;
begin
    _lane := patterns_os.own_lane(_run, _token);
    select r.app, r.hops into _app, _hops from patterns_os.runs r where r.id = _run;
    select coalesce(_trace, max(c.trace)) into _trace
    from patterns_os.commits c
    where c.table_id = (_input ->> 'table')::int
      and c.last = (select min(m.last) from patterns_os.commits m
                    where m.table_id = (_input ->> 'table')::int and m.last >= (_input ->> 'to')::bigint);

    for _output in
        select (o.value ->> 'table')::int as id from jsonb_array_elements(coalesce(_body -> 'outputs', '[]')) o order by 1
    loop
        perform 1 from patterns_os.tables t where t.id = _output.id and t.app = _app for no key update;
        if not found then
            raise exception 'table % is not of this app', _output.id using errcode = '42501';
        end if;
    end loop;

    for _output in
        select (o.value ->> 'table')::int as id, o.value -> 'operations' as operations
        from jsonb_array_elements(coalesce(_body -> 'outputs', '[]')) o order by 1
    loop
        for _operation in select o.value as body from jsonb_array_elements(_output.operations) o loop
            select * into _block from patterns_os.write_block(
                _output.id, _operation.body ->> 'kind',
                (select array_agg(c.value #>> '{}' order by c.ordinality)
                 from jsonb_array_elements(_operation.body -> 'columns') with ordinality c),
                _operation.body -> 'rows', _operation.body ->> 'stage', _run, _input, _hops, _trace);
            _rows_out := _rows_out + _block.written;
            if _operation.body ->> 'stage' is not null then
                execute format('drop table %s', (_operation.body ->> 'stage')::regclass);
            end if;
        end loop;
        _tables := _tables || jsonb_build_object(_output.id::text, _block.last);
    end loop;

    insert into patterns_os.states (node, lane, key, value)
    select _lane.node, _lane.lane, s.key, s.value from jsonb_each(coalesce(_body -> 'state' -> 'set', '{}')) s
    on conflict (node, lane, key) do update set value = excluded.value;
    delete from patterns_os.states s where s.node = _lane.node and s.lane = _lane.lane
        and s.key in (select jsonb_array_elements_text(coalesce(_body -> 'state' -> 'delete', '[]')));
    delete from patterns_os.held h where h.node = _lane.node
        and h.id in (select jsonb_array_elements_text(coalesce(_body -> 'release', '[]'))::bigint);

    perform patterns_os.hold_refused(_app, _lane.node, (r.value ->> 'table')::int, 'run:' || _run, _run, jsonb_build_array(r.value))
    from jsonb_array_elements(coalesce(_body -> 'refused', '[]')) r;

    update patterns_os.inputs i set cursor = (m.value ->> 'to')::bigint,
           moved = i.moved or (m.value ->> 'to')::bigint <> i.cursor
    from jsonb_array_elements(coalesce(_body -> 'inputs', '[]')) m
    where i.node = _lane.node and i.table_id = (m.value ->> 'table')::int and i.stream = m.value ->> 'stream';

    if not coalesce((_body ->> 'end')::boolean, false) then
        update patterns_os.runs r set rows_in = r.rows_in + coalesce((_body ->> 'rows_in')::bigint, 0), rows_out = r.rows_out + _rows_out
        where r.id = _run;
        return jsonb_build_object('tables', _tables, 'rows_out', _rows_out);
    end if;

    -- `seen` is what the run could see when it began; `moved` is about this run alone. A record that was set aside is
    -- delivered without looking at anything else: what the lane knew of its inputs stays as it was. So does what it
    -- knew of a stream that was kept from the run (`cut_by_hops`).
    update patterns_os.inputs i set
        seen = greatest(i.seen, coalesce(
            (select (s.value ->> 'last')::bigint from jsonb_array_elements(coalesce(_body -> 'seen', '[]')) s
             where (s.value ->> 'table')::int = i.table_id),
            case when _lane.narrow is null then (began.value ->> 'last')::bigint else i.seen end)),
        moved = i.cursor <> (began.value ->> 'from')::bigint
            or exists (select 1 from jsonb_array_elements(coalesce(_body -> 'inputs', '[]')) m
                       where (m.value ->> 'more')::boolean and (m.value ->> 'table')::int = i.table_id
                         and m.value ->> 'stream' = i.stream)
    from jsonb_array_elements((select r.inputs from patterns_os.runs r where r.id = _run)) began
    where i.node = _lane.node and i.table_id = (began.value ->> 'table')::int and i.stream = began.value ->> 'stream'
      and (select r.reason from patterns_os.runs r where r.id = _run) <> 'resume'
      and not (began.value ->> 'access' = 'stream' and began.value -> 'to' = began.value -> 'from'
               and (began.value ->> 'last')::bigint > (began.value ->> 'from')::bigint);

    select i.cursor into _cursor from patterns_os.inputs i
    where i.node = _lane.node and i.table_id = (_lane.narrow ->> 'table')::int and i.stream = _lane.narrow ->> 'stream';
    update patterns_os.lanes l set run = null, launcher = null, state = 'idle', error = null, dead_in_row = 0, deaths = 0,
        attempts = case when l.narrow ? 'before' then l.attempts else 0 end,
        -- what came before the bad record is done: that record alone is next
        narrow = case when l.narrow ? 'before' and _cursor < (l.narrow ->> 'before')::bigint - 1 and
                           exists (select 1 from patterns_os.inputs i where i.node = l.node and i.moved) then l.narrow
                      when l.narrow ? 'before' then (l.narrow - 'before') || jsonb_build_object('alone', l.narrow -> 'before')
                 end,
        not_before = case when l.narrow ? 'before' then clock_timestamp() + interval '1 second' end
    where l.node = _lane.node and l.lane = _lane.lane;
    if _lane.narrow is not null then
        -- rows after the narrowed range were not offered: they are still to do
        update patterns_os.inputs i set moved = true where i.node = _lane.node and i.active and i.access = 'stream';
    end if;
    update patterns_os.runs r set state = 'done', ended_at = clock_timestamp(),
        rows_in = r.rows_in + coalesce((_body ->> 'rows_in')::bigint, 0), rows_out = r.rows_out + _rows_out
    where r.id = _run;
    update patterns_os.requests q set state = 'done' from patterns_os.runs r where r.id = _run and q.id = r.request;
    if _body ->> 'again' is not null then
        insert into patterns_os.requests (app, node, kind, key, due_at)
        values (_app, _lane.node, 'again', 'again:' || _run, clock_timestamp() + make_interval(secs => (_body ->> 'again')::double precision))
        on conflict (node, key) do nothing;
    end if;
    return jsonb_build_object('tables', _tables, 'rows_out', _rows_out);
end $$;

-- Ends a run that failed, as decided by the caller (patterns_os/runs/retry.py):
--   error, lane: {"state", "delay_s", "attempts", "deaths", "dead_in_row", "narrow"},
--   held: {"table", "stream", "position", "attempts"} or null: set the record aside and go past it,
--   request: "pending" | "failed" | null, with lane.delay_s
create or replace function patterns_os.fail_v1(_run bigint, _token bigint, _body jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _lane patterns_os.lanes;
    _decided jsonb := _body -> 'lane';
    _held jsonb := nullif(_body -> 'held', 'null');
    _content jsonb;
    _until timestamptz := clock_timestamp() + make_interval(secs => coalesce((_body -> 'lane' ->> 'delay_s')::double precision, 0));
begin
    _lane := patterns_os.own_lane(_run, _token);
    if _held is not null then
        execute format('select to_jsonb(r) from %s r where patterns_position = $1', patterns_os.relation((_held ->> 'table')::int))
        into _content using (_held ->> 'position')::bigint;
        insert into patterns_os.held (app, node, table_id, stream, position, why, attempts, error, content, run)
        select r.app, _lane.node, (_held ->> 'table')::int, _held ->> 'stream', (_held ->> 'position')::bigint, 'dead',
               (_held ->> 'attempts')::int, _body -> 'error', coalesce(_content, '{}'), _run
        from patterns_os.runs r where r.id = _run
        on conflict (node, table_id, stream, position) do update
            set attempts = excluded.attempts, error = excluded.error, run = excluded.run, at = excluded.at;
        update patterns_os.inputs i set cursor = greatest(i.cursor, (_held ->> 'position')::bigint), moved = true
        where i.node = _lane.node and i.table_id = (_held ->> 'table')::int and i.stream = _held ->> 'stream';
    end if;
    update patterns_os.lanes l set run = null, launcher = null, state = _decided ->> 'state',
        not_before = case when (_decided ->> 'delay_s')::double precision > 0 then _until end,
        attempts = (_decided ->> 'attempts')::int, deaths = (_decided ->> 'deaths')::int,
        dead_in_row = (_decided ->> 'dead_in_row')::int, narrow = nullif(_decided -> 'narrow', 'null'), error = _body -> 'error'
    where l.node = _lane.node and l.lane = _lane.lane;
    update patterns_os.runs r set state = 'failed', ended_at = clock_timestamp(), error = _body -> 'error' where r.id = _run;
    update patterns_os.requests q set state = coalesce(_body ->> 'request', 'pending'), attempts = q.attempts + 1,
        due_at = _until
    from patterns_os.runs r where r.id = _run and q.id = r.request;
end $$;

-- Takes lanes from launchers that are gone: raises the token, so that nothing they still do counts.
-- Gives how many. Repeating it is harmless.
create or replace function patterns_os.rescue_v1(_app int, _lanes jsonb) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _taken record;
    _count int := 0;
begin
    perform patterns_os.check_caller(_app);
    for _taken in
        select l.node, l.lane, l.run from patterns_os.lanes l
        join jsonb_array_elements(_lanes) w on l.node = (w.value ->> 'node')::int and l.lane = (w.value ->> 'lane')::int
            and l.token = (w.value ->> 'token')::bigint
        join patterns_os.nodes n on n.id = l.node and n.app = _app
        where l.run is not null for update of l skip locked
    loop
        update patterns_os.lanes l set token = l.token + 1, run = null, launcher = null, state = 'idle', deaths = l.deaths + 1
        where l.node = _taken.node and l.lane = _taken.lane;
        update patterns_os.runs r set state = 'lost', ended_at = clock_timestamp(),
            error = jsonb_build_object('code', 'launcher-lost', 'family', 'infrastructure', 'message', 'the launcher of this run is gone')
        where r.id = _taken.run;
        update patterns_os.requests q set state = 'pending' from patterns_os.runs r
        where r.id = _taken.run and q.id = r.request and q.state = 'running';
        _count := _count + 1;
    end loop;
    return _count;
end $$;

-- Lets lanes that wait for the world or the configuration try at once: somebody has just started the app, or
-- deployed another version, and may have mended it. Records keep the times of their retries.
create or replace function patterns_os.retry_now_v1(_app int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform patterns_os.check_caller(_app);
    update patterns_os.lanes l set not_before = null
    from patterns_os.nodes n
    where n.id = l.node and n.app = _app and l.run is null and l.not_before is not null
      and (l.narrow is null or l.error ->> 'family' in ('temporary', 'permanent', 'infrastructure'));
end $$;

-- Raises the beat of a launcher and of its live lanes; gives the runs that are still its own.
create or replace function patterns_os.beat_v1(_app int, _launcher text) returns bigint[]
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    _runs bigint[];
begin
    perform patterns_os.check_caller(_app);
    update patterns_os.launchers set beat = beat + 1 where id = _launcher and app = _app;
    with raised as (
        update patterns_os.lanes l set beat = l.beat + 1
        from patterns_os.nodes n
        where n.id = l.node and n.app = _app and l.launcher = _launcher and l.run is not null
        returning l.run)
    select coalesce(array_agg(raised.run), '{}') into _runs from raised;
    return _runs;
end $$;

-- Begins or looks up an outside effect: {"status": "begun" | "done" | "doubt", "result"}.
create or replace function patterns_os.once_v1(_run bigint, _token bigint, _record text, _key text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _lane patterns_os.lanes := patterns_os.own_lane(_run, _token);
    _found patterns_os.once;
begin
    insert into patterns_os.once (node, record, key, status, token) values (_lane.node, _record, _key, 'begun', _token)
    on conflict (node, record, key) do nothing;
    if found then return jsonb_build_object('status', 'begun'); end if;
    select * into _found from patterns_os.once o where o.node = _lane.node and o.record = _record and o.key = _key;
    if _found.status = 'done' then return jsonb_build_object('status', 'done', 'result', _found.result); end if;
    return jsonb_build_object('status', 'doubt');
end $$;

create or replace function patterns_os.once_done_v1(_run bigint, _token bigint, _record text, _key text, _result jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _lane patterns_os.lanes := patterns_os.own_lane(_run, _token);
begin
    update patterns_os.once o set status = 'done', result = _result, token = _token
    where o.node = _lane.node and o.record = _record and o.key = _key;
end $$;

-- Lines that a node printed. Losing the last ones in a crash is accepted, so nothing waits for the disk.
create or replace function patterns_os.log_v1(_app int, _lines jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform patterns_os.check_caller(_app);
    perform set_config('synchronous_commit', 'off', true);
    insert into patterns_os.logs (app, node, run, stream, line, at)
    select _app, n.id, (l.value ->> 'run')::bigint, l.value ->> 'stream', l.value ->> 'line', (l.value ->> 'at')::timestamptz
    from jsonb_array_elements(_lines) with ordinality l
    join patterns_os.nodes n on n.app = _app and n.name = l.value ->> 'node'
    order by l.ordinality;
end $$;

-- Stores deliveries of one webhook with their rows in one transaction. `_counts[i]` rows belong to body i.
-- Gives the watermark.
create or replace function patterns_os.ingest_v1(
    _app int, _webhook text, _table int, _bodies bytea[], _headers jsonb[], _counts int[], _columns text[], _rows jsonb
) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select patterns_os.ingest_v2(_app, _webhook, _table, _bodies, _headers, _counts, _columns, _rows, '[]')
$$;

-- The same, with rows that do not fit the table: [{"delivery", "number", "content", "error"}], the delivery's place
-- among the bodies from 1. They are held with the reason, in the same transaction.
create or replace function patterns_os.ingest_v2(
    _app int, _webhook text, _table int, _bodies bytea[], _headers jsonb[], _counts int[], _columns text[], _rows jsonb,
    _refused jsonb
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set lock_timeout = '10s' as $$
declare
    _block record;
    _kept bigint[];
begin
    perform patterns_os.check_caller(_app);
    perform 1 from patterns_os.tables t where t.id = _table and t.app = _app for no key update;
    if not found then
        raise exception 'table % is not of this app', _table using errcode = '42501';
    end if;
    select * into _block from patterns_os.write_block(_table, 'append', _columns, _rows, null, null, null, null, null);
    with kept as (
        insert into patterns_os.deliveries (app, webhook, status, reason, headers, body, table_id, first_position, last_position)
        select _app, _webhook, 'accepted', case when d.held > 0 then format('%s of %s rows held: they do not fit the table', d.held, d.held + d.count) end,
               d.headers, d.body, _table, _block.last - _block.written + d.upto - d.count + 1, _block.last - _block.written + d.upto
        from (select b.body, b.headers, b.count, sum(b.count) over (order by b.n) as upto, b.n,
                     (select count(*) from jsonb_array_elements(_refused) r where (r.value ->> 'delivery')::int = b.n) as held
              from unnest(_bodies, _headers, _counts) with ordinality b(body, headers, count, n)) d
        order by d.n
        returning id)
    select array_agg(kept.id order by kept.id) into _kept from kept;
    if _refused <> '[]' then
        perform patterns_os.hold_refused(_app, n.id, _table, 'delivery:' || _kept[(r.value ->> 'delivery')::int], null, jsonb_build_array(r.value))
        from patterns_os.nodes n, jsonb_array_elements(_refused) r
        where n.app = _app and n.name = _webhook;
    end if;
    return _block.last;
end $$;

-- The same, without what came before: deliveries whose key was seen in the last seven days, or earlier among these,
-- are not stored again. `_about[i]`: {"headers", "query", "verdict", "secret", "repeats", "answer"} of body i.
-- Gives [{"delivery", "answer"}] in order; "answer" is what the first one was answered, null for what is stored.
create or replace function patterns_os.ingest_v3(
    _app int, _webhook text, _table int, _bodies bytea[], _about jsonb[], _keys bytea[], _counts int[], _columns text[],
    _rows jsonb, _refused jsonb
) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set lock_timeout = '10s' as $$
declare
    _block record;
    _ids bigint[];
    _again bigint[] := '{}';  -- places of what came before
begin
    perform patterns_os.check_caller(_app);
    -- All deliveries of a table stand in line here, so none misses the key of another.
    perform 1 from patterns_os.tables t where t.id = _table and t.app = _app for no key update;
    if not found then
        raise exception 'table % is not of this app', _table using errcode = '42501';
    end if;
    select array_agg(nextval('patterns_os.deliveries_id_seq') order by n) into _ids
    from generate_series(1, cardinality(_bodies)) n;
    if array_length(array_remove(_keys, null), 1) > 0 then
        with asked as (
            select k.key, k.n from unnest(_keys) with ordinality k(key, n) where k.key is not null),
        first as (
            select distinct on (a.key) a.key, a.n from asked a order by a.key, a.n),
        laid as (
            insert into patterns_os.delivery_keys as d (app, webhook, key, delivery, answer)
            select _app, _webhook, f.key, _ids[f.n], coalesce(_about[f.n] -> 'answer', '{}') from first f order by f.key
            on conflict (app, webhook, key) do update
                set delivery = excluded.delivery, answer = excluded.answer, repeats = 0, at = excluded.at
                where d.at < clock_timestamp() - interval '7 days'
            returning d.key)
        select coalesce(array_agg(a.n), '{}') into _again from asked a
        where not exists (select 1 from first f join laid l on l.key = f.key where f.n = a.n);
    end if;
    if _again <> '{}' then
        update patterns_os.delivery_keys d set repeats = d.repeats + r.count
        from (select _keys[n] as key, count(*)::int as count from unnest(_again) n group by 1) r
        where d.app = _app and d.webhook = _webhook and d.key = r.key;
        if cardinality(_again) < cardinality(_bodies) then
            select coalesce(jsonb_agg(r.value order by r.n), '[]') into _rows
            from (select c.n, c.count, sum(c.count) over (order by c.n) as upto from unnest(_counts) with ordinality c(count, n)) d
            join jsonb_array_elements(_rows) with ordinality r(value, n) on r.n > d.upto - d.count and r.n <= d.upto
            where d.n <> all (_again);
        end if;
        select coalesce(jsonb_agg(r.value), '[]') into _refused from jsonb_array_elements(_refused) r
        where (r.value ->> 'delivery')::bigint <> all (_again);
    end if;
    if cardinality(_again) < cardinality(_bodies) then
        select * into _block from patterns_os.write_block(_table, 'append', _columns, _rows, null, null, null, null, null);
        insert into patterns_os.deliveries (id, app, webhook, status, reason, headers, query, verdict, secret, repeats, body, table_id, first_position, last_position)
        overriding system value
        select _ids[d.n], _app, _webhook, 'accepted',
               case when d.held > 0 then format('%s of %s rows held: they do not fit the table', d.held, d.held + d.count) end,
               coalesce(d.about -> 'headers', '{}'), coalesce(d.about ->> 'query', ''), coalesce(d.about ->> 'verdict', 'unchecked'),
               d.about ->> 'secret', (d.about ->> 'repeats')::bigint, d.body, _table,
               _block.last - _block.written + d.upto - d.count + 1, _block.last - _block.written + d.upto
        from (select b.body, b.about, b.count, sum(b.count) over (order by b.n) as upto, b.n,
                     (select count(*) from jsonb_array_elements(_refused) r where (r.value ->> 'delivery')::int = b.n) as held
              from unnest(_bodies, _about, _counts) with ordinality b(body, about, count, n)
              where b.n <> all (_again)) d;
        if _refused <> '[]' then
            perform patterns_os.hold_refused(_app, n.id, _table, 'delivery:' || _ids[(r.value ->> 'delivery')::int], null, jsonb_build_array(r.value))
            from patterns_os.nodes n, jsonb_array_elements(_refused) r
            where n.app = _app and n.name = _webhook;
        end if;
    end if;
    return (
        select jsonb_agg(jsonb_build_object('delivery', coalesce(d.delivery, i.id), 'answer', d.answer) order by i.n)
        from unnest(_ids) with ordinality i(id, n)
        left join patterns_os.delivery_keys d
            on d.app = _app and d.webhook = _webhook and d.key = _keys[i.n] and i.n = any (_again));
end $$;

-- Takes away what nobody needs any more, a little at a time: rows of versions that were replaced more than ten
-- minutes ago and that no live run reads, logs and ended runs after seven days, deliveries after thirty,
-- their keys after seven. Gives how many rows went; more may be left.
create or replace function patterns_os.collect_v1(_app int, _most int) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    _table record;
    _count bigint;
    _total bigint := 0;
begin
    perform patterns_os.check_caller(_app);
    perform set_config('synchronous_commit', 'off', true);
    for _table in
        select t.id, least(h.base, (
            select min((i.value ->> 'base')::bigint) from patterns_os.runs r, jsonb_array_elements(r.inputs) i
            where r.app = _app and r.state = 'running' and (i.value ->> 'table')::int = t.id)) as upto
        from patterns_os.tables t cross join lateral patterns_os.head(t.id) h
        where t.app = _app and h.base > 0
          and (select min(c.at) from patterns_os.commits c where c.table_id = t.id and c.base = h.base)
              < clock_timestamp() - interval '10 minutes'
    loop
        execute format('delete from %1$s where ctid = any(array(select ctid from %1$s where patterns_position <= $1 limit $2))',
                       patterns_os.relation(_table.id))
        using _table.upto, _most;
        get diagnostics _count = row_count;
        _total := _total + _count;
    end loop;
    delete from patterns_os.logs where id in (
        select id from patterns_os.logs where app = _app and at < clock_timestamp() - interval '7 days' limit _most);
    get diagnostics _count = row_count;
    _total := _total + _count;
    delete from patterns_os.runs where id in (
        select id from patterns_os.runs where app = _app and ended_at < clock_timestamp() - interval '7 days' limit _most);
    get diagnostics _count = row_count;
    _total := _total + _count;
    delete from patterns_os.deliveries where id in (
        select id from patterns_os.deliveries where app = _app and at < clock_timestamp() - interval '30 days' limit _most);
    get diagnostics _count = row_count;
    _total := _total + _count;
    delete from patterns_os.delivery_keys where ctid = any (array(
        select ctid from patterns_os.delivery_keys where app = _app and at < clock_timestamp() - interval '7 days' limit _most));
    get diagnostics _count = row_count;
    return _total + _count;
end $$;
