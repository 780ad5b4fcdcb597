-- 0005: where the bytes of each medium were last declared to come from, so that another one can be mended from them.

alter table medium add column source text;
comment on column medium.source is 'image:<path>, device:<path> or directory:<path>, as its file in media.d said when it was last worked on.';
