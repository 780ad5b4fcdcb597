-- 0002: runs that have ended are sealed, one after another, over their log and the record of proofs.

-- While a run is at work `events` and `head` are its log as it was at its last proof: what a power cut may not take away.
alter table run
  add column sealed_no  int8 unique,
  -- The log when it was sealed: all of it but the last line, which tells the seal.
  add column work_head  text,
  -- The last proof of all runs at that moment.
  add column proof_id   int8,
  add column proof_hash bytea,
  add column seal       bytea;
comment on column run.seal is 'SHA-256(seal of the run sealed before || canonical JSON of verb, host, pid, version, times, exit code, log head and last proof).';

alter table proof_head
  add column sealed_no int8 not null default 0,
  add column seal      bytea not null default decode(repeat('00', 32), 'hex');
comment on table proof_head is 'The last proof, and the last seal: without it, rows that are missing at the end would not be missed. Appenders queue for this row.';
