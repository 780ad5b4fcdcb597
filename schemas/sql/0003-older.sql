-- 0003: what `ntt import` saw of each medium of an installation of the older pipeline. One look, with its time: claims and counts to compare with,
-- on which nothing is decided. What was lost is told from it until the medium is loaded here; from then on our own rows tell.

create table older (
  medium_hash text primary key,
  seen_at     timestamptz not null default now(),
  sorting     text not null check (sorting in ('complete', 'copied-in-part', 'loaded-in-part', 'never-loaded')),
  enum_done   timestamptz,
  copy_done   timestamptz,
  health      text,
  files       int8 not null,
  lost        int8 not null,
  paths       int8 not null,
  records     int8,
  examples    bytea[] not null
);
comment on table older is 'files: file inodes in its database; lost: those of them without content and without a reason; paths: its rows of names; records: entries of its enumeration, null where that is gone or damaged; examples: the first names without content, as it spells them.';
