# awsrole for tcsh. It assumes the role of a project when you `cd` into it and restores the environment when you leave.
# One process at each prompt compares what the last decision rests on. If anything changed, everything that awsrole set
# is undone, and a second process decides. `awsrole hook tcsh` fills in the path and the blocked state.
#
# tcsh has no functions, so the programs print one line of statements. These variables are not exported: token: what the
# last answer rests on. prior_NAME: values before awsrole. hook: on | off | inactive. asking, pending: the comparison or
# the decision is not answered yet. block: statements for a shell without an answer. A command after `if` is evaluated,
# because tcsh expands its variables first, and runs no aliases there.

# The alias `awsrole` sources this file again with arguments, because an alias of more than one command cannot be
# redirected or piped. `use`, `on` and `off` change only this shell. The program does everything else.
if ("$1:q" == __awsrole_call) then
shift
set __awsrole_first=help
if ($#argv) set __awsrole_first=$1:q
if ("$__awsrole_first:q" =~ {use,on,off}) then
set __awsrole_status=1
eval "`$__awsrole_bin:q hook command tcsh --token $__awsrole_token:q -- $argv:q`"
else
env AWSROLE_HOOK=$__awsrole_hook $__awsrole_bin:q $argv:q
set __awsrole_status=$status
endif
set __awsrole_typed=(--typed $__awsrole_first:q)
__awsrole_sync
set __awsrole_typed=()
if (("$__awsrole_first:q" =~ {use,on,off} || "$argv:q" == refresh || "$argv:q" == 'refresh --all') && $?AWSROLE_STATE) eval 'if ("$AWSROLE_STATE:q" == blocked && ! $__awsrole_status) set __awsrole_status=1'
else if ($?prompt) then
if (! $?__awsrole_file) set __awsrole_file=~/.awsrole.tcsh
set __awsrole_bin=@BIN@
set __awsrole_program=$__awsrole_bin:q
if (-x "$__awsrole_bin-hook") set __awsrole_program="$__awsrole_bin-hook"

# Sourced again, the shell keeps what it needs for leaving.
if (! $?__awsrole_token) then
set __awsrole_token=e30 __awsrole_hook=on __awsrole_typed=() __awsrole_prompted=0
set __awsrole_block=@BLOCK@
foreach __awsrole_name (precmd cwdcmd)
set __awsrole_user="`alias $__awsrole_name`"
if ("$__awsrole_user" == '') set __awsrole_user=:
alias __awsrole_user_$__awsrole_name "$__awsrole_user:q"
end
unset __awsrole_name __awsrole_user
endif

alias __awsrole_say '/bin/sh -c '\''echo "awsrole: no complete answer: this shell is blocked (hint: \`awsrole refresh\` retries)" >&2'\'''
alias __awsrole_lock 'eval "$__awsrole_block:q"; set __awsrole_failed; __awsrole_say'
alias __awsrole_fail 'if (! $?__awsrole_failed) eval __awsrole_lock'
alias __awsrole_request 'eval "`$__awsrole_program:q hook export tcsh --protocol @PROTOCOL@ --token $__awsrole_token:q -- < /dev/null`"; if ($?__awsrole_pending) eval __awsrole_fail'
alias __awsrole_compare 'set __awsrole_asking; eval "`$__awsrole_program:q hook export tcsh --protocol @PROTOCOL@ --token $__awsrole_token:q --compare $__awsrole_typed:q -- < /dev/null`"; if ($?__awsrole_asking) eval __awsrole_fail'

# With `set echo` or `set verbose`, tcsh would print the statements and the secrets in them. After Ctrl-C it skips the
# first `eval`.
alias __awsrole_sync 'set __awsrole_echo=$?echo __awsrole_verbose=$?verbose; unset echo verbose; eval :; if ($?__awsrole_pending) eval __awsrole_fail; if (! $?__awsrole_pending) eval __awsrole_compare; if ($?__awsrole_pending) eval __awsrole_request; if ($__awsrole_echo) set echo; if ($__awsrole_verbose) set verbose'

alias awsrole 'source $__awsrole_file:q __awsrole_call \!*'

# What Tab offers.
alias __awsrole_offers '/bin/sh -c '\''set -f; set -- $COMMAND_LINE; case $COMMAND_LINE in *" ") set -- "$@" "" ;; esac; AWSROLE_COMPLETE=fish exec "$0" -- "$@" 2>/dev/null | cut -f 1'\'' $__awsrole_bin:q'
complete awsrole 'p@*@`__awsrole_offers`@'

# A `cd` in the rc file is decided at the first prompt.
alias precmd 'set __awsrole_prompted=1; __awsrole_sync; __awsrole_user_precmd'
alias cwdcmd 'if ($__awsrole_prompted) eval __awsrole_sync; __awsrole_user_cwdcmd'
endif
# The last command, so that its status is that of the alias.
if ($?__awsrole_status) eval '/bin/sh -c "exit $__awsrole_status"'
