#!/bin/sh
# Set-up, then the main job: converge the sample media of media.d/.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
# ^C is ntt's to answer; what it answers is the answer of this script.
trap : INT
status=0
bin/ntt apply --yes || status=$?
[ "$status" != 0 ] || echo "To see ntt find planted faults, try next: bin/ntt demo"
exit "$status"
