# shellcheck shell=sh disable=SC2157
# awsrole for the shells in which AI agents run single commands (sh, bash, zsh): they get the session of their
# directory, limited as the project and the user's settings say. It prints nothing and never prompts. If awsrole fails,
# the shell is blocked. In interactive shells, which have the hook of `awsrole hook SHELL`, and in those of the user it
# does nothing.
case $- in
  *i*) ;;
  *)
    case ${AWSROLE_AGENT_SESSION-} in
      '') ;;
      # `awsrole exec` selected this session.
      "${AWS_ACCESS_KEY_ID-}" | "${AWS_CONFIG_FILE-}") awsrole_done=$$:${PWD-} ;;
    esac
    # A credential_process that awsrole starts may be such a shell, too. (A shell may read this file twice.)
    if [ "${AWSROLE_AGENT+x}@VARIABLES@" ] && [ -z "${AWSROLE_IN_CREDENTIAL_PROCESS-}" ] &&
      [ "${awsrole_done-}" != "$$:${PWD-}" ]; then
      # `set -x` and `set -v` would print secrets, and `set -a` would export them in this variable.
      { awsrole_options=$-; set +avx; } 2>/dev/null
      if awsrole_answer=$(
        awsrole_program=@BIN@
        if [ -x "$awsrole_program-hook" ]; then awsrole_program=$awsrole_program-hook; fi
        exec "$awsrole_program" hook agent </dev/null 2>/dev/null
      ); then eval "$awsrole_answer"
      else
        unset @HIDDEN_IF_BLOCKED@
        export @SET_IF_BLOCKED@
      fi
      unset awsrole_answer
      awsrole_done=$$:${PWD-}
      case $awsrole_options in *a*) set -a ;; esac
      case $awsrole_options in *v*) set -v ;; esac
      case $awsrole_options in *x*) set -x ;; esac
    fi
    ;;
esac
