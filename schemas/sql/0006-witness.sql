-- 0006: when anybody last knew of a content that it is what its name says: when it was written, or when it was read back since.

create index on proof (at) where stage = 'copy' and not ok;

create view witness as
  select blob_id, at
    from (select b.blob_id, greatest(b.stored_at, s.at) as at
            from (select blob_id, stored_at, ('x' || encode(substring(blob_id from 1 for 6), 'hex'))::bit(48)::int8 as pos from blob) b
            left join lateral (select w.at, w.to_pos from swept w where w.from_pos <= b.pos order by w.from_pos desc limit 1) s
              on s.to_pos >= b.pos and s.at >= b.stored_at) known
   where at > coalesce((select max(p.at) from proof p
                         where p.stage = 'copy' and not p.ok
                           and p.checks::jsonb @> '[{"name": "contents not what their name says", "ok": false}]'), '-infinity');
comment on view witness is 'Ask by blob_id. Once a medium was found to have an altered content, nothing is known of what nobody has read since.';
