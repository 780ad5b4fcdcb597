-- 0004: when each part of the store was last read back, as ranges of the hash space: a few rows, however many blobs there are.

create table swept (
  -- The first 48 bits of the hashes, both ends included. Ranges do not overlap; what is in none was never read back.
  from_pos int8 primary key check (from_pos >= 0),
  to_pos   int8 not null check (to_pos >= from_pos and to_pos < 281474976710656),
  -- When the reading of it began: a blob that was stored later is not covered.
  at       timestamptz not null,
  run      text not null,
  -- Blobs in it that were there then, and their bytes.
  blobs    int8 not null,
  bytes    int8 not null
);
comment on table swept is 'Every blob whose hash begins in the range, and that was stored before `at`, was read back then by `run`.';
