# shellcheck shell=bash
# Completion for bash: ~/.local/share/bash-completion/completions/awsrole, or in ~/.bashrc
#   source <(awsrole completions bash)
_awsrole() {
  local at words=("${COMP_WORDS[@]}")
  for ((at = 1; at < COMP_CWORD; at++)); do
    if [[ ${words[at]} == -- ]] && declare -F _command_offset >/dev/null; then
      _command_offset "$((at + 1))" # bash-completion knows the command
      return
    fi
  done
  words[COMP_CWORD]=$2
  local IFS=$'\v'
  # shellcheck disable=SC2207 # separated by \v alone
  COMPREPLY=($(AWSROLE_COMPLETE=bash _CLAP_IFS=$IFS _CLAP_COMPLETE_INDEX=$COMP_CWORD \
    command awsrole -- "${words[@]}" 2>/dev/null))
  if [[ ${COMPREPLY[0]-} == *[=/:] ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o bashdefault -F _awsrole awsrole
