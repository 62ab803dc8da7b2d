"""The second wall between tenants: what a session may read of the log and beside it."""

from typing import LiteralString

WALLS: LiteralString = """
-- A session sees the rows of the tenant that it names in `stratal.tenant`, of every tenant with
-- '*', and none while it has said nothing. So a query that forgets its tenant finds nothing of
-- another one's. What is written names its tenant itself, and is not looked at here.
CREATE FUNCTION stratal.wall(in_schema text, bind_owner boolean, only_table text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept record;
BEGIN
    FOR kept IN
        SELECT c.oid::regclass AS name, EXISTS (
            SELECT FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
        ) AS has_tenants
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = in_schema AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND (only_table IS NULL OR c.relname = only_table)
          AND NOT EXISTS (
              SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = 'of_the_tenant'
          )
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', kept.name);
        IF bind_owner THEN
            EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', kept.name);
        END IF;
        -- A CASE, so that sessions that see all compare nothing: they fold the read models. A table
        -- without tenants is for them alone.
        EXECUTE format(
            'CREATE POLICY of_the_tenant ON %s USING (
                CASE current_setting(''stratal.tenant'', true) WHEN ''*'' THEN true ELSE %s END
             ) WITH CHECK (true)',
            kept.name,
            CASE WHEN kept.has_tenants
                THEN 'tenant = current_setting(''stratal.tenant'', true)' ELSE 'false'
            END
        );
    END LOOP;
END $$;

SELECT stratal.wall('stratal', false, name)
FROM unnest('{events,streams,receipts,claims}'::text[]) AS name;

-- The functions that read the log are the owner's, whom no policy binds, so they look for
-- themselves: at the tenant they are given, or else at the one that the session has named.
DROP FUNCTION stratal.stream_events(uuid, bigint, bigint, bigint, boolean, bigint);
CREATE FUNCTION stratal.stream_events(
    stream uuid, after_version bigint, up_to_version bigint, up_to bigint, backwards boolean,
    size bigint, of_tenant text
) RETURNS SETOF stratal.events
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sight text := coalesce(of_tenant, current_setting('stratal.tenant', true), '');
    part text;
    found_here bigint;
BEGIN
    FOR part IN
        SELECT p.table_name
        FROM stratal.streams AS s JOIN stratal.partitions AS p
          ON p.last_position >= s.first_position AND p.first_position <= s.last_position
        WHERE s.originator_id = stream AND sight IN (s.tenant, '*') AND p.detached_at IS NULL
          AND (up_to IS NULL OR p.first_position <= up_to)
        ORDER BY CASE WHEN backwards THEN -p.first_position ELSE p.first_position END
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT * FROM stratal.%I
             WHERE originator_id = $1 AND originator_version > $2 AND originator_version <= $3
               AND ($4 IS NULL OR notification_id <= $4)
             ORDER BY originator_version %s LIMIT $5',
            part, CASE WHEN backwards THEN 'DESC' ELSE '' END
        )
        USING stream, coalesce(after_version, -1), coalesce(up_to_version, 9223372036854775807),
            up_to, size;
        GET DIAGNOSTICS found_here = ROW_COUNT;
        size := size - found_here;
        EXIT WHEN size <= 0;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION stratal.events_after(
    after bigint, up_to bigint, of_topics text[], of_tenant text, size bigint
) RETURNS SETOF stratal.events
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sight text := coalesce(of_tenant, current_setting('stratal.tenant', true), '');
    part text;
    found_here bigint;
BEGIN
    FOR part IN
        SELECT table_name FROM stratal.partitions
        WHERE last_position > after AND detached_at IS NULL
          AND (up_to IS NULL OR first_position <= up_to)
        ORDER BY first_position
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT * FROM stratal.%I
             WHERE notification_id > $1
               AND ($2 IS NULL OR notification_id <= $2)
               AND ($3 IS NULL OR topic = ANY ($3))
               AND ($4 = ''*'' OR tenant = $4)
             ORDER BY notification_id LIMIT $5', part
        )
        USING after, up_to, of_topics, sight, size;
        GET DIAGNOSTICS found_here = ROW_COUNT;
        size := size - found_here;
        EXIT WHEN size <= 0;
    END LOOP;
END $$;
"""
