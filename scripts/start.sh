#!/bin/sh
# Set-up, then the main job: converge the sample media of media.d/.
set -eu
cd "$(dirname "$0")/.."
# npm may end by a signal and tell nobody: then we are told.
if [ "${1-}" != guarded ] && command -v setpriv >/dev/null 2>&1; then
  exec setpriv --pdeathsig TERM sh scripts/start.sh guarded
fi
sh scripts/setup.sh
# In the background only for the shell, so that it hears signals at once; the terminal stays ntt's.
exec 3<&0
bin/ntt apply --yes <&3 3<&- &
ntt=$!
# ^C reaches ntt by itself. What others send to this script is handed on; what ntt answers is the answer of this script.
interrupted=
trap 'interrupted=yes' INT
# After ^C this is only npm that ended: ntt has heard once, and twice would mean at once.
trap 'if [ -n "$interrupted" ]; then interrupted=; else kill -s TERM "$ntt" 2>/dev/null || :; fi' TERM
trap 'kill -s HUP "$ntt" 2>/dev/null || :' HUP
status=0
while :; do
  status=0
  wait "$ntt" || status=$?
  # Not the end of ntt, but a signal, where it is still there.
  kill -0 "$ntt" 2>/dev/null || break
done
[ "$status" != 0 ] || echo "To see ntt find planted faults, try next: bin/ntt demo"
exit "$status"
