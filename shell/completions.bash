# shellcheck shell=bash
# Completion for bash: ~/.local/share/bash-completion/completions/awsrole, or in ~/.bashrc
#   source <(awsrole completions bash)
_awsrole() {
  local at=1 words=("${COMP_WORDS[@]}")
  # Another command's words begin after `--`, or after `sudo` and its options.
  for ((at = 1; at < COMP_CWORD; at++)); do
    case $at:${words[1]}:${words[at]} in
      1:*) ;;
      *:*:--) break ;;
      *:sudo:-r | *:sudo:--role) if [[ ${words[++at]} == = ]]; then ((++at)); fi ;; # bash splits --role=NAME
      *:sudo:-*) ;;
      *:sudo:*) ((at--)); break ;;
    esac
  done
  if ((at == COMP_CWORD && at > 1)) && [[ ${words[1]} == sudo && $2 != -* ]]; then ((at--)); fi
  if ((at < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
    _command_offset "$((at + 1))" # bash-completion knows the command
    return
  fi
  words[COMP_CWORD]=$2
  local IFS=$'\v'
  # shellcheck disable=SC2207 # separated by \v alone
  COMPREPLY=($(AWSROLE_COMPLETE=bash _CLAP_IFS=$IFS _CLAP_COMPLETE_INDEX=$COMP_CWORD \
    command awsrole -- "${words[@]}" 2>/dev/null))
  if [[ ${COMPREPLY[0]-} == *[=/:] ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o bashdefault -F _awsrole awsrole
