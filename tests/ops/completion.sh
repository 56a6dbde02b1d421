#!/usr/bin/env bash
# completion.sh COMMAND: what bash offers after the words of a command line, with the real clinic-gateway to ask.
set -euo pipefail

command=$1
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../../packaging/completion/clinic-gateway
source "$here/../../packaging/completion/clinic-gateway"

# offers "WORDS" "WHAT..."; the last of WORDS, after a colon, is being typed.
offers() {
  local -a typed
  read -ra typed <<<"${1%:*}"
  COMP_WORDS=("$command" "${typed[@]}" "${1##*:}")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  _clinic_gateway
  if [[ ${COMPREPLY[*]} != "$2" ]]; then
    echo "after '$1' bash offers '${COMPREPLY[*]}' instead of '$2'" >&2
    exit 1
  fi
}

offers ":sta" "status"
offers ":st" "status studies storage"
offers "keys:ro" "rotate"
offers "keys:" "list add remove prove unlock recover rotate"
offers "--json audit:ex" "export"
offers "audit export:--si" "--since"
offers "status:--js" "--json"
offers "nonsense:sta" "status"
cd "$here"
offers "backup --to:comple" "completion.sh"

# Every subcommand has its page in clinic-gateway(1).
while read -r name; do
  grep -q "^\.B[IR]* \"\?$name" "$here/../../docs/man/clinic-gateway.1" || {
    echo "clinic-gateway(1) does not tell of '$name'" >&2
    exit 1
  }
done < <(_clinic_gateway_listed Subcommands)
echo "completion: as the command says"
