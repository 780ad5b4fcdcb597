#!/bin/sh
# Set-up, then the main job: converge the sample media of media.d/.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
exec bin/ntt apply --yes
