import { loader } from "./libraries.ts";

/** Starts a program of the bundle by its own loader with its own libraries. Finds them from where it lies, whatever the environment. */
export function wrapper(name: string, file: string): string {
  return `#!/bin/sh
runner=\${0%/*}/..
LOCPATH=$runner/locale GCONV_PATH=$runner/gconv MKE2FS_CONFIG=$runner/mke2fs.conf
export LOCPATH GCONV_PATH MKE2FS_CONFIG
exec "$runner/lib/${loader}" --library-path "$runner/lib" --argv0 ${name} "$runner/programs/${file}" "$@"
`;
}

/** What the depot runs. POSIX sh, no other program of the machine's but sha256sum, where there is one. */
export const runScript = `#!/bin/sh
# Lays the media beside this file on disks. Needs a shell, root and nothing else of this machine.
#   ./run.sh --disk /dev/sdb --receipts receipts
#   ./run.sh depot init --name NAME
#   ./run.sh --help
set -e
case $0 in */*) here=\${0%/*} ;; *) here=. ;; esac
here=$(cd "$here" && pwd)
if [ ! -x "$here/runner/bin/node" ]; then
  echo "run.sh: expected programs that may be run in $here/runner; the folder is incomplete, or lies on a file system without the right to run programs. Copy it to another disk." >&2
  exit 1
fi
if command -v sha256sum > /dev/null 2>&1; then
  if ! (cd "$here" && sha256sum -c runner.sha256 > /dev/null 2>&1); then
    echo "run.sh: expected the programs in $here/runner as they were sent; they are not. Copy the folder again, then: sha256sum -c SHA256SUMS" >&2
    exit 1
  fi
fi
PATH=$here/runner/bin
export PATH
case \${1:-} in
  "" | -h | --help) set -- stage --help ;;
  -*)
    if [ -f "$here/keyring.dsse.json" ]; then set -- stage "$here/media.wim" --keyring "$here/keyring.dsse.json" "$@"
    else set -- stage "$here/media.wim" "$@"; fi
    ;;
esac
NODE_NO_WARNINGS=1 exec node "$here/runner/prestage.mjs" "$@"
`;
