#!/bin/bash
# The one list of what this project needs from Debian 12 or 13; docs/dependencies.md says why each is here.
#
#   packaging/install-deps.sh [build|test|release|all]...      (default: all; needs root)
#
#   build    compile, run the unit tests, build the .deb
#   test     build, and what the style checks and the integration test run (real peers)
#   release  test, and what builds the trees of the release tests
#
# Runs in a moment when everything is there. No service of an installed package is started or enabled by this.
set -euo pipefail

die() {
  echo "install-deps.sh: $*" >&2
  exit 1
}

. /etc/os-release
[[ ${ID:-} == debian ]] || die "this is ${PRETTY_NAME:-an unknown system}; it runs on Debian 12 and 13"
case ${VERSION_CODENAME:-} in
  bookworm) boost=libboost1.81-dev clang_rt=libclang-rt-14-dev jdk=openjdk-17-jdk-headless tcti=libtss2-tcti-swtpm0 ;;
  trixie) boost=libboost-dev clang_rt=libclang-rt-19-dev jdk=openjdk-21-jdk-headless tcti=libtss2-tcti-swtpm0t64 ;;
  *) die "this is ${PRETTY_NAME:-an unknown Debian}; it runs on Debian 12 (bookworm) and 13 (trixie)" ;;
esac

build_packages=(
  build-essential g++ cmake ninja-build pkg-config ccache git ca-certificates
  "$boost" libdcmtk-dev libmosquitto-dev libsqlcipher-dev libsodium-dev libssl-dev zlib1g-dev
  libspdlog-dev libtomlplusplus-dev rapidjson-dev libcli11-dev libsystemd-dev libutf8proc-dev libexpat1-dev libnutclient-dev
  libhowardhinnant-date-dev libprotobuf-dev protobuf-compiler
  libgtest-dev libgmock-dev dcmtk openssl python3
  debhelper dpkg-dev fakeroot tzdata
)
test_packages=(
  clang clang-format clang-tidy "$clang_rt" shellcheck systemd
  orthanc orthanc-dicomweb stunnel4 mosquitto mosquitto-clients tinyproxy-bin microsocks
  "$jdk" maven python3-venv socat iproute2 procps curl nut-server smartmontools
  tang swtpm swtpm-tools tpm2-tools "$tcti"
  chromium fonts-dejavu-core prometheus
)
release_packages=(debootstrap systemd-container lintian)

wanted=()
for group in "${@:-all}"; do
  case $group in
    build) wanted+=("${build_packages[@]}") ;;
    test) wanted+=("${build_packages[@]}" "${test_packages[@]}") ;;
    release | all) wanted+=("${build_packages[@]}" "${test_packages[@]}" "${release_packages[@]}") ;;
    *) die "there is no group '$group'; give build, test, release or all" ;;
  esac
done

declare -A version_of
read_installed_versions() {
  local package status version
  version_of=()
  while read -r package status version; do
    [[ $status != installed ]] || version_of[$package]=$version
  done < <(dpkg-query -W -f='${Package} ${db:Status-Status} ${Version}\n' "${wanted[@]}" 2>/dev/null)
}

# Debian 12's own SQLCipher is 3.4.1; the format we write on the disk is SQLCipher 4's.
is_satisfied() {
  local version=${version_of[$1]:-}
  [[ -n $version ]] || return 1
  [[ $1 != libsqlcipher-dev ]] || dpkg --compare-versions "$version" ge 4.6
}

read_installed_versions
missing=()
for package in "${wanted[@]}"; do
  is_satisfied "$package" || missing+=("$package")
done
((${#missing[@]})) || exit 0
((EUID == 0)) || die "missing: ${missing[*]}; run it as root to install them"

# The backports suite comes from wherever this machine gets Debian itself.
add_backports() {
  if apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages' | grep -qx bookworm-backports; then
    return
  fi
  local mirror
  local key=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    sed -nE 's/^(bookworm|oldstable) //p' | head -n 1)
  [[ -n $mirror ]] || die "apt has no source for Debian 12 itself (suite 'bookworm'), so the place of bookworm-backports is unknown"
  echo "deb [signed-by=$key] $mirror bookworm-backports main" >/etc/apt/sources.list.d/bookworm-backports.list
}

policy=/usr/sbin/policy-rc.d
made_policy=
log=$(mktemp)
restore() {
  [[ -z $made_policy ]] || rm -f "$policy"
  rm -f "$log"
}
trap restore EXIT
# Quiet when all goes well.
logged() {
  "$@" >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    die "'$1' failed, see above; is the package mirror reachable?"
  }
}
# The peers of the tests (orthanc, mosquitto) are started by the tests on ports of their own; as
# services they would only take the default ports of this machine.
forbid_service_starts() {
  [[ -e $policy ]] && return
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}
peers_to_disable=()
for peer in orthanc mosquitto prometheus smartmontools; do
  [[ " ${missing[*]} " == *" $peer "* ]] && peers_to_disable+=("$peer.service")
done
[[ " ${missing[*]} " != *" tang "* ]] || peers_to_disable+=(tangd.socket)

export DEBIAN_FRONTEND=noninteractive
quiet=(-o Dpkg::Use-Pty=0 -o Acquire::Retries=3 -q)
[[ $VERSION_CODENAME != bookworm || " ${missing[*]} " != *" libsqlcipher-dev "* ]] || add_backports
logged apt-get "${quiet[@]}" update
forbid_service_starts

to_install=()
for package in "${missing[@]}"; do
  if [[ $VERSION_CODENAME == bookworm && $package == libsqlcipher-dev ]]; then
    package+=/bookworm-backports
  fi
  to_install+=("$package")
done
echo "install-deps.sh: installing ${missing[*]}"
logged apt-get "${quiet[@]}" install -y --no-install-recommends "${to_install[@]}"
if ((${#peers_to_disable[@]})) && command -v systemctl >/dev/null; then
  systemctl disable --quiet "${peers_to_disable[@]}" 2>/dev/null ||
    echo "install-deps.sh: ${peers_to_disable[*]} may start at the next boot; disable by hand what this machine doesn't need" >&2
fi

read_installed_versions
for package in "${missing[@]}"; do
  is_satisfied "$package" || die "$package is still missing or too old ('${version_of[$package]:-}') after the installation"
done
