-- 0001: the catalogue. Facts behind the layout: reference/postgres.md sections 4 to 10 (binary COPY, keys after, surrogate media).

create table medium (
  medium_id    int4 generated always as identity primary key,
  medium_hash  text not null unique check (medium_hash ~ '^[0-9A-Za-z_-]{8,64}$'),
  hash_version text not null default 'v2' check (hash_version in ('v0', 'v1', 'v2', 'declared', 'directory')),
  name         text unique,
  kind         text check (kind in ('disk', 'optical', 'floppy', 'directory')),
  medium_human text,
  message      text,
  health       text check (health is null or health in ('ok', 'incomplete', 'corrupt', 'failed')),
  image_path   text,
  added_at     timestamptz not null default now(),
  -- Claims for existing queries: written in the transaction of the proof, by record.ts and nobody else.
  enum_done    timestamptz,
  copy_done    timestamptz
);
comment on table medium is 'One row for each medium that ntt has met. medium_hash is the only key that leaves the database.';

-- Identities that were worked out, of exactly one state of a source: the cache that spares 2 MiB of reading a plan.
create table identity (
  source     text primary key,
  looked     text not null,
  medium_hash text not null,
  hash_version text not null,
  kind       text not null,
  bytes      int8
);
comment on table identity is 'source: where; looked: size, mtime and inode when it was hashed. Another look makes the row worthless.';

-- One row for each load: which enumeration the attached partitions hold. origin: `<records> <content> <volumes>` of the raw.
create table generation (
  medium_id  int4 primary key,
  origin     text not null,
  loaded_at  timestamptz not null default now(),
  run        text not null default current_setting('application_name')
);

create table filesystem (
  medium_id int4 not null,
  fs        int4 not null,
  scheme    text not null,
  partition_type text not null,
  start     int8 not null,
  bytes     int8 not null,
  type      text,
  label     bytea not null,
  uuid      text not null,
  outcome   text not null check (outcome in ('read', 'empty', 'waived', 'partial', 'unreadable')),
  reason    text not null,
  reader    text not null,
  primary key (medium_id, fs)
);

-- Fixed-width columns first: no padding; rows of nearly all inodes are without nulls. No foreign keys into or out of partitions, no
-- default partition, no key over a path. Loads build `<table>_<medium_id>_<first 8 of the hash>` beside and attach it.
create table inode (
  ino       int8 not null,
  size      int8 not null,
  mtime_ns  int8,
  medium_id int4 not null,
  fs        int4 not null,
  nlink     oid not null,
  uid       oid,
  gid       oid,
  mode      int2,
  type      "char" not null,
  target    bytea not null,
  primary key (medium_id, fs, ino)
) partition by list (medium_id);
comment on table inode is 'ino: 64 bits as the filesystem has them, so the upper half shows as negative. nlink, uid, gid: oid is PostgreSQL''s unsigned 32-bit type. target: of a link; of a device node major:minor; else empty.';

create table directory (
  medium_id int4 not null,
  fs        int4 not null,
  dir       int4 not null,
  path      bytea not null,
  primary key (medium_id, dir)
) partition by list (medium_id);
comment on table directory is 'Every directory that holds an entry, once; dir is its number within the medium, path relative to the filesystem root.';

create table entry (
  ino       int8 not null,
  medium_id int4 not null,
  fs        int4 not null,
  dir       int4 not null,
  name      bytea not null
) partition by list (medium_id);
create index on entry (ino);
comment on table entry is 'Every name: the last component, in directory dir. Paths are put together by the view path.';

-- What an enumeration could not read (kind: an errno name or a word of the readers; detail: the message), and other records for an inode
-- that has one name only (kind: repeated-inode; the first one is the inode, detail: the facts of the other).
create table anomaly (
  medium_id int4 not null,
  fs        int4 not null,
  kind      text not null,
  ino       int8,
  path      bytea not null,
  detail    text not null
);
create index on anomaly (medium_id);

-- Insert-only: what became of each file inode.
create table outcome (
  ino       int8 not null,
  medium_id int4 not null,
  fs        int4 not null,
  state     "char" not null check (state in ('b', 'x', 'd', 'e')),
  blob_id   bytea,
  detail    text,
  primary key (medium_id, fs, ino),
  check ((state = 'b') = (blob_id is not null) or state = 'd')
) partition by list (medium_id);
comment on table outcome is 'b: blob. x: excluded (detail: the pattern). d: damaged, unread bytes (detail: which; blob_id: what was readable). e: failed (detail: class, number of attempts, message).';

create table blob (
  blob_id   bytea primary key check (octet_length(blob_id) = 32),
  size      int8 not null check (size >= 0),
  stored_at timestamptz not null default now()
);
-- A large content of a size that no other has need not be read before it is written.
create index on blob (size) where size > 1048576;

-- By what the outcomes of a medium were decided, and how many ended how; without a tally they have not come to their end.
create table copying (
  medium_id int4 primary key,
  origin    text not null,
  run       text not null
);

-- Which directory is the store: its marker file holds the same id.
create table store (
  root       text primary key,
  store_id   text not null,
  made_at    timestamptz not null default now()
);

-- Proofs, append-only, chained: hash = SHA-256(prev || canonical JSON of the row without prev and hash). json, not jsonb:
-- what was hashed is kept as it was written.
create table proof (
  proof_id  int8 primary key,
  medium_hash text not null,
  stage     text not null check (stage in ('image', 'enumerate', 'load', 'copy', 'archive')),
  of        text not null,
  depth     text not null check (depth in ('counts', 'hash')),
  ok        bool not null,
  checks    json not null,
  figures   json not null,
  facts     json not null,
  content   text,
  run       text not null,
  host      text not null,
  at        timestamptz not null,
  prev      bytea not null,
  hash      bytea not null
);
create index on proof (medium_hash, stage, of, depth, ok, proof_id);

-- The last proof: without it, rows that are missing at the end would not be missed. Appenders queue for this row.
create table proof_head (
  single    bool primary key default true check (single),
  proof_id  int8 not null,
  hash      bytea not null
);
insert into proof_head (proof_id, hash) values (0, decode(repeat('00', 32), 'hex'));

-- One row for each run that may write, with the head of its event log when it ended.
create table run (
  run        text primary key,
  verb       text not null,
  host       text not null,
  pid        int4 not null,
  version    text not null,
  started_at timestamptz not null,
  ended_at   timestamptz,
  exit_code  int4,
  events     int8,
  head       text
);

-- Who holds a medium. The lock itself is an advisory lock; this row says whose it is, and its epoch fences off a holder that lost it.
create table lease (
  medium_hash text primary key,
  epoch       int8 not null,
  run         text not null,
  host        text not null,
  pid         int4 not null,
  since       timestamptz not null
);

create view path as
  select m.medium_hash, e.medium_id, e.fs, e.ino,
         case when d.path = ''::bytea then e.name when e.name = ''::bytea then d.path else d.path || '/'::bytea || e.name end as path
    from entry e join directory d on d.medium_id = e.medium_id and d.dir = e.dir join medium m on m.medium_id = e.medium_id;
comment on view path is 'Every path of every loaded medium, as bytes, relative to its filesystem. Ask with medium_id or medium_hash.';

create view repeated_path as
  select m.medium_hash, e.medium_id, e.fs, count(*) as times,
         case when d.path = ''::bytea then e.name else d.path || '/'::bytea || e.name end as path
    from entry e join directory d on d.medium_id = e.medium_id and d.dir = e.dir join medium m on m.medium_id = e.medium_id
   group by m.medium_hash, e.medium_id, e.fs, d.path, e.name having count(*) > 1;
comment on view repeated_path is 'Names that a damaged directory holds more than once; each entry keeps its own inode. Ask with medium_id.';
