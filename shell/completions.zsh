#compdef awsrole
# Completion for zsh: a file _awsrole in a directory of $fpath, or in ~/.zshrc after compinit
#   source <(awsrole completions zsh)
_awsrole() {
  local at=${words[(ie)--]}
  if [[ ${words[2]} == sudo ]]; then # these words begin after its options
    for (( at = 2; at + 1 < CURRENT; at++ )); do
      case ${words[at + 1]} in
        --) (( at++ )); break ;;
        -r|--role) (( at++ )) ;;
        -*) ;;
        *) break ;;
      esac
    done
    if (( at + 1 == CURRENT )) && [[ ${words[CURRENT]} == -* ]]; then at=$CURRENT; fi
  fi
  if (( at < CURRENT )); then # another command's words
    shift $at words
    (( CURRENT -= at ))
    _normal
    return
  fi
  local -a found dirs options others
  found=("${(@f)$(AWSROLE_COMPLETE=zsh _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) \
    command awsrole -- "${words[@]}" 2>/dev/null)}")
  dirs=(${(M)found:#*/}) others=(${found:#*/})
  options=(${(M)others:#-?*}) others=(${others:#-?*})
  (( $#dirs )) && _describe -V directories dirs -S ''
  (( $#others )) && _describe -V values others
  (( $#options )) && _describe -V -o options options
}
if [[ ${funcstack[1]-} == _awsrole ]]; then _awsrole "$@"
elif (( $+functions[compdef] )); then compdef _awsrole awsrole
else print -ru2 -- 'awsrole: completion needs compinit: put `autoload -Uz compinit && compinit` above this line'
fi
