#!/bin/sh
# Installs the proxies that test/proxies runs: nginx, HAProxy and Caddy, from Debian or Ubuntu. Their services
# are not started, since the tests start their own. (Envoy is fetched by its test.) Does nothing where
# all three are there.
set -eu

PATH=$PATH:/usr/sbin
missing=
for proxy in nginx haproxy caddy; do
  command -v "$proxy" >/dev/null 2>&1 || missing="$missing $proxy"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "There is no apt-get here. Install by other means:$missing" >&2
  exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "Installing$missing needs root or sudo." >&2; exit 1; }
  as_root='sudo'
fi

# Debian starts a service as soon as it is installed, unless this says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$as_root rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi

$as_root apt-get -qq update
# Each word of $missing is a package.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
