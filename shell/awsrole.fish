# awsrole for fish 3.5 and later: `cd` into a project and this shell holds its AWS role, `cd` out and all is as it was.
#
# At an unchanged prompt and on leaving only builtins run. Secrets stand in the exported variables and nowhere else;
# what the variables held before is kept here, unexported. No secret is ever part of a command's text or an argument of a
# function, because profiles, logs and the traces of errors show these; and nothing is traced. Universal variables belong to all shells: none is set, and
# nothing is erased but globals (`set -eg`, never a plain `set -e`).

set -g __awsrole_bin @BIN@
set -g __awsrole_generations @GENERATIONS@
# A file from 1970: its age is the time in seconds, which no builtin tells otherwise.
set -g __awsrole_clock @CLOCK@
# How long Linux has been up, awake or asleep, is read in a fraction of the time that the clock takes.
set -g __awsrole_uptime /proc/uptime
test -r $__awsrole_uptime; or set -g __awsrole_uptime /dev/null
set -g __awsrole_never 99999999999

# Statements of one line, but for what stands in single quotes, up to the last one.
set -g __awsrole_quoted '\'(?:[^\\\\\']++|\\\\.)*+\''
set -g __awsrole_answer "\A(?:__awsrole_(?:set \w+ $__awsrole_quoted|hide \w+|adopt \w+ (?:unset|exported $__awsrole_quoted)|\
chose $__awsrole_quoted|file \d+ (?:own|shared)(?: $__awsrole_quoted)?|digest \w+)\n)*__awsrole_done \w+ \d+ \d+\s*\z"

# --- names -----------------------------------------------------------------------------------------------------------

# Each of these two is believed as a whole by the clients, so that a change to one of its members is a change to all.
set -g __awsrole_keys @KEYS@
set -g __awsrole_profiles @PROFILES@

# Whatever else could make a client somebody while the shell is closed.
set -g __awsrole_hidden_if_closed @HIDDEN_IF_CLOSED@

set -g __awsrole_set_if_closed @SET_IF_CLOSED@

# What commands and nested shells may know of what stood there before: no secret, and no half of a pair.
set -g __awsrole_open_if_closed @PRIOR_IF_CLOSED@

# Sourced again, the shell must not forget its way back.
if not set -q __awsrole_state
    set -g __awsrole_state new # new | outer | role | closed | hands-off
    set -g __awsrole_pending '' # set while an answer is awaited; still set later: it never came
    set -g __awsrole_off # `off` after `awsrole off`
    set -g __awsrole_use '' # `awsrole use NAME`, and the file for which it was said
    set -g __awsrole_use_in ''
    set -g __awsrole_touched # the names with a record: __awsrole_prior_NAME and __awsrole_ours_NAME
    set -g __awsrole_lifted # the names with a value in __awsrole_lifted_NAME
    set -g __awsrole_failed # names that could not be hidden
    set -g __awsrole_depth 1 # how many of the files count
    set -g __awsrole_deadline 0 # when to ask again, in epoch seconds; 0: never
    set -g __awsrole_due $__awsrole_never # the same in seconds since the machine was started
    set -g __awsrole_since 0 # when that was said: an earlier time of day is a clock that was set back
    set -g __awsrole_own # files that this shell may open
    set -g __awsrole_digest '' # what `hook digest` says of the files that count, if this shell mustn't open one of them
    set -g __awsrole_file ''
    set -g __awsrole_in_force ''
    set -g __awsrole_direnv ''
    set -g __awsrole_at ''
    set -g __awsrole_around ''
    set -g __awsrole_generation '' # what must be there, see __awsrole_note_generation
end

function __awsrole_say
    builtin echo "awsrole: $argv" >&2
end

# --- find ------------------------------------------------------------------------------------------------------------

# The nearest files named .awsrole.toml from here upward, as many as asked for, and for each of them a view: its path and
# content. Contents are compared, not times: two edits within one tick of the clock are two edits. Any kind of file counts,
# the binary explains a directory or a link to nowhere; but a FIFO is never opened, and a huge file read only as far as the
# binary would. What a view begins with tells these cases apart. Where another user could put a FIFO in a file's place
# between the test and the opening, the shell would wait for ever: so it opens only what the binary called the user's own.
function __awsrole_look -a wanted
    test "$PWD" = "$__awsrole_at"; or __awsrole_candidates
    set -g __awsrole_files
    set -g __awsrole_views
    for file in $__awsrole_candidates
        if test -e $file -o -L $file
            set -a __awsrole_files $file
            if not test -f $file
                set -a __awsrole_views "special=$file"
            else if not test -r $file
                set -a __awsrole_views "unreadable=$file"
            else if not builtin contains -- $file $__awsrole_own
                set -a __awsrole_views "unread=$file"
            else
                __awsrole_read $file
                set -a __awsrole_views $__awsrole_view
            end
            set -q __awsrole_files[$wanted]; and break
        end
    end
end

# At a NUL `read` stops as at the end, so a second one looks whether anything is left. (With `-n` it would drop bytes that
# aren't UTF-8, and take one at a time.)
function __awsrole_read -a file
    set -l fish_read_limit 16384
    begin
        read -z -l content
        read -z -l rest
        set -g __awsrole_view "$status=$file=$content"
    end <$file
end

# The file that is there until `awsrole allow`, `deny`, `refresh`, `logout` and others are typed, in whichever shell. What
# is noted before files and answers are looked at can't miss any of it.
function __awsrole_note_generation
    set -l found $__awsrole_generations/*
    set -g __awsrole_generation "$found[1]"
end

# Was nothing of it typed since? Where there was no such file: is there still none?
function __awsrole_heard_nothing
    if test -n "$__awsrole_generation"
        test -e $__awsrole_generation
    else
        __awsrole_note_generation
        test -z "$__awsrole_generation"
    end
end

# Where to look is worked out once for a directory, not at each prompt.
function __awsrole_candidates
    set -g __awsrole_at $PWD
    set -g __awsrole_candidates
    # With its slash at the end, a name that ends in a newline keeps it in `string collect`.
    set -l dir (string replace -r '/*\z' / -- $PWD | string collect)
    while test -n "$dir"
        set -a __awsrole_candidates $dir.awsrole.toml
        set dir (string replace -r '[^/]*/\z' '' -- $dir | string collect)
    end
end

# --- unchanged -------------------------------------------------------------------------------------------------------

# Is all that the last decision rests on as it was? Then it stands: this is what most prompts cost. Everything is looked
# at anew, and in doubt the answer is no; only a link to nowhere that appears between here and the file in force waits
# for the next `cd`. Time is measured from when the machine was started; before a command the clock is asked.
function __awsrole_unchanged
    __awsrole_look_around
    test "$__awsrole_now_around" = "$__awsrole_around" -a $__awsrole_in_place; or return
    builtin path is -- $__awsrole_absent; and return 1
    set -l fish_read_limit 16384
    set -l views
    for file in $__awsrole_present
        begin
            read -z -l content
            read -z -l rest
            set -a views "$status=$file=$content"
        end <$file
    end
    test "$views" = "$__awsrole_in_view"; or return
    read -d ' ' -l up rest <$__awsrole_uptime; and test $up -lt $__awsrole_due; or not __awsrole_is_due
end

# Where the shell is, what was decided, and what of the user's own hand can be remembered: values that are no secrets, and
# how many of the names are missing.
function __awsrole_look_around
    set -q AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE __awsrole_lifted[1]
    set -g __awsrole_now_around "$status $__awsrole_state$__awsrole_pending $PWD $DIRENV_WATCHES \
$AWS_ACCESS_KEY_ID $AWS_CREDENTIAL_EXPIRATION $AWS_PROFILE $AWS_DEFAULT_PROFILE"
end

# What was just decided rests on what __awsrole_look saw before.
function __awsrole_remember
    set -g __awsrole_in_place -e "$__awsrole_generation" # what one test looks at
    set -g __awsrole_absent '' # of none at all, `path` would read its input
    set -g __awsrole_present
    for file in $__awsrole_candidates
        if builtin contains -- $file $__awsrole_files
            set -a __awsrole_present $file
            set -a __awsrole_in_place -a -f $file -a -r $file
            set -q __awsrole_present[$__awsrole_depth]; and break
        else
            set -a __awsrole_absent $file
        end
    end
    set -g __awsrole_in_view "$__awsrole_views[1..$__awsrole_depth]"
    __awsrole_look_around
    set -g __awsrole_around $__awsrole_now_around
    for file in $__awsrole_present # `unchanged` opens them.
        builtin contains -- $file $__awsrole_own; or set -g __awsrole_around ''
    end
end

# --- decide ----------------------------------------------------------------------------------------------------------

# Is what the shell holds still right for what was looked at? If not, __awsrole_event says why.
function __awsrole_fresh
    set -g __awsrole_event prompt
    switch $__awsrole_state
        case new
            return 1
        case hands-off
            test "$__awsrole_files[1]" = "$__awsrole_file"
            return
        case outer
            test -z "$__awsrole_files[1]$__awsrole_file"; and return 0
    end
    __awsrole_sum_up $__awsrole_depth
    __awsrole_heard_nothing; and test "$__awsrole_sum" = "$__awsrole_in_force"; or return 1
    if __awsrole_is_due
        set -g __awsrole_event due
        test $__awsrole_state = closed; and set -g __awsrole_event retry
        return 1
    end
    test -z "$__awsrole_digest"; or test "$(__awsrole_ask_digest)" = "$__awsrole_digest"
end

# Of the files that count, if one of them isn't opened here. This process is what a prompt costs there.
function __awsrole_ask_digest
    __awsrole_find_program
    $__awsrole_program 2>&1 </dev/null hook digest -- $__awsrole_files[1..$__awsrole_depth]
end

# Without an answer it isn't known which files may be opened.
function __awsrole_note_digest
    test -z "$__awsrole_digest"; and string match -q 'unread=*' -- $__awsrole_views[1..$__awsrole_depth]
    and set -g __awsrole_digest "$(__awsrole_ask_digest)"
end

# All that was looked at, with the nearest so many files, as one text.
function __awsrole_sum_up -a wanted
    set -g __awsrole_sum "$__awsrole_views[1..$wanted]/$DIRENV_WATCHES"
end

function __awsrole_is_due
    test $__awsrole_deadline -ne 0; or return
    # A pipe costs less than a substitution; neither starts a process.
    builtin path mtime -R -- $__awsrole_clock | read -l now; or return 0
    test $now -ge $__awsrole_deadline; or test $now -lt $__awsrole_since
end

function __awsrole_note_time
    set -l now (builtin path mtime -R -- $__awsrole_clock)
    set -g __awsrole_since "$now"
    test -n "$now"; or set -g __awsrole_since 0
end

# Call after the time was noted.
function __awsrole_ask_again_at -a deadline
    set -g __awsrole_deadline $deadline
    set -g __awsrole_due $__awsrole_never
    if test $__awsrole_since -eq 0 # There was no clock.
        set -g __awsrole_due 0
    else if test $deadline -ne 0; and read -d ' ' -l up rest <$__awsrole_uptime
        set -g __awsrole_due (builtin math "$up + $deadline - $__awsrole_since")
    end
end

# --- save, set, hide, restore ----------------------------------------------------------------------------------------

function __awsrole_save -a name
    builtin contains -- $name $__awsrole_touched; and return
    if set -qgx $name
        set -g __awsrole_prior_$name exported $$name
    else if set -qg $name
        set -g __awsrole_prior_$name plain $$name
    else
        set -g __awsrole_prior_$name unset
    end
    set -a __awsrole_touched $name
end

# Of a secret it is only noted that it was set, lest it stand in the shell twice. The note comes first: Ctrl-C in
# between leaves a note without a value, never a value without a note. The value is the caller's __awsrole_value, or for
# what is no secret the second argument.
function __awsrole_set --no-scope-shadowing -a name value
    set -q argv[2]; or set value $__awsrole_value
    __awsrole_save $name
    switch $name
        case AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
            set -g __awsrole_ours_$name secret
        case '*'
            set -g __awsrole_ours_$name set $value
    end
    set -gx $name $value
end

function __awsrole_hide -a name
    # Under a global of the same name or under none, an exported universal goes to every child.
    if set -qUx $name
        builtin contains -- $name $__awsrole_failed; or set -a __awsrole_failed $name
        return
    end
    __awsrole_save $name
    set -g __awsrole_ours_$name hidden
    set -eg $name
end

function __awsrole_forget
    for name in $argv
        set -eg __awsrole_prior_$name
        set -eg __awsrole_ours_$name
        set -l at (builtin contains -i -- $name $__awsrole_touched)
        and set -eg __awsrole_touched[$at]
    end
end

# Does the name hold what awsrole left there?
function __awsrole_intact -a name
    set -l ours __awsrole_ours_$name
    switch "$$ours[1][1]"
        case hidden
            not set -qg $name
        case secret
            set -qg $name
        case set
            set -qg $name; and test "$$name" = "$$ours[1][2]"
        case '*'
            return 1
    end
end

function __awsrole_restore -a name
    set -l prior __awsrole_prior_$name
    switch $$prior[1][1]
        case exported
            set -gx $name $$prior[1][2..-1]
        case plain
            set -gu $name $$prior[1][2..-1]
        case unset
            set -eg $name
    end
    __awsrole_forget $name
end

# Leaving: every name that still holds what awsrole left there gets its prior value, each by itself; but the user's own
# keys come back together or, if one of them was changed, not at all. (While an answer is pending nobody changed them,
# they are half set.)
function __awsrole_undo
    for name in $__awsrole_keys
        if test -z "$__awsrole_pending"; and builtin contains -- $name $__awsrole_touched; and not __awsrole_intact $name
            __awsrole_forget $__awsrole_keys
        end
    end
    for name in $__awsrole_touched
        if __awsrole_intact $name
            __awsrole_restore $name
        else
            __awsrole_forget $name
        end
    end
    for name in $__awsrole_lifted
        set -eg __awsrole_lifted_$name
    end
    set -g __awsrole_lifted
end

# --- the user's own hand ---------------------------------------------------------------------------------------------

# Keys or profile changed inside the project: ours go, theirs stay, and awsrole keeps out of it until the user leaves.
# A change that direnv made is not the user's: it is the outer environment that changed, and freshness sees to it.
function __awsrole_mind_changes
    test $__awsrole_state = role -o $__awsrole_state = closed; or return 0
    set -q __awsrole_lifted[1]; and return
    set -l changed
    for name in $__awsrole_keys $__awsrole_profiles
        if builtin contains -- $name $__awsrole_touched; and not __awsrole_intact $name
            set -a changed $name
        end
    end
    set -q changed[1]; or return 0
    # Pasted together with a key id, the others are theirs; but no token belongs to a long-term key.
    if builtin contains -- AWS_ACCESS_KEY_ID $changed; and test -n "$AWS_ACCESS_KEY_ID"
        __awsrole_forget AWS_SECRET_ACCESS_KEY
        string match -q 'AKIA*' -- $AWS_ACCESS_KEY_ID; or __awsrole_forget AWS_SESSION_TOKEN
    end
    for name in $__awsrole_touched
        if not __awsrole_intact $name
            __awsrole_forget $name
        else if builtin contains -- $name $__awsrole_keys
            __awsrole_hide $name
        else if builtin contains -- $name $__awsrole_profiles
            __awsrole_hide $name
        else
            __awsrole_restore $name
        end
    end
    string match -qv '*_PROFILE' -- $changed; and __awsrole_forget $__awsrole_keys
    test "$DIRENV_WATCHES" = "$__awsrole_direnv"; or return 0
    set -g __awsrole_state hands-off
    __awsrole_look 1
    if test "$__awsrole_files[1]" = "$__awsrole_file"
        __awsrole_say "$changed[-1] was changed manually: awsrole is inactive here until you leave (or `awsrole refresh`)"
    end
end

# --- close -----------------------------------------------------------------------------------------------------------

# Nobody's credentials: with the variables merely unset, clients would fall back to [default] or to the instance's role.
function __awsrole_close
    # (With an inherited `closed` that was never taken over, the parent's word for it stays.)
    if test "$AWSROLE_STATE" != closed
        for name in $__awsrole_open_if_closed
            set -qx $name; and __awsrole_set AWSROLE_PRIOR_$name "$$name"
        end
    end
    for name in $__awsrole_hidden_if_closed
        __awsrole_hide $name
    end
    # A command or a nested shell goes on with what `awsrole use` chose here, and for which file.
    test -n "$__awsrole_use"; and __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"
    for pair in $__awsrole_set_if_closed
        __awsrole_set (string split -m 1 = -- $pair)
    end
    set -g __awsrole_state closed
    set -g __awsrole_pending ''
    __awsrole_note_time
    __awsrole_ask_again_at (builtin math "$__awsrole_since + 30")
end

# --- sync ------------------------------------------------------------------------------------------------------------

# The binary is asked from the outer environment (so that awsrole can't become its own source), and everything that the
# answer will be compared with is on record before it starts. Ctrl-C ends all functions: what fish comes back to is the
# mark `pending`, not a loop. An answer whose last statement was never reached isn't half an answer, it is none.
function __awsrole_sync -a event
    if not set -q __awsrole_beside_direnv; and builtin functions -q __direnv_export_eval
        set -g __awsrole_beside_direnv
        __awsrole_register
    end
    set -l arguments hook export fish --event $event --snippet @BUILD@ --views
    if test $event = cd; and not status is-command-substitution
        set -a arguments --ask
    end
    test "$__awsrole_files[1]" = "$__awsrole_use_in"; or set -g __awsrole_use ''
    test -n "$__awsrole_use"; and set -a arguments --role $__awsrole_use

    __awsrole_note_generation
    set -g __awsrole_state new # until all is undone
    __awsrole_undo
    __awsrole_look 1000
    __awsrole_sum_up 1000
    set -g __awsrole_file $__awsrole_files[1]
    set -g __awsrole_direnv $DIRENV_WATCHES
    set -g __awsrole_in_force $__awsrole_sum
    set -g __awsrole_depth 1000
    set -g __awsrole_state outer
    set -g __awsrole_deadline 0
    set -g __awsrole_due $__awsrole_never
    set -g __awsrole_failed
    set -g __awsrole_digest ''
    set -g __awsrole_whose
    set -g __awsrole_texts
    set -q __awsrole_files[1]; or set -g __awsrole_own
    set -q __awsrole_files[1]; or set -q AWSROLE_STATE; or return 0

    set -g __awsrole_pending 1
    set -l problem
    if test -f $__awsrole_bin -a -x $__awsrole_bin
        __awsrole_find_program
        set -l answer ($__awsrole_program $arguments -- $__awsrole_files </dev/null | string collect)
        __awsrole_apply
        set problem "no complete answer: this shell holds no credentials here (hint: `awsrole refresh` asks again)"
    else
        set problem "$__awsrole_bin is gone: this directory's role can't be had (hint: reinstall awsrole or open a new shell)"
    end
    if test -n "$__awsrole_pending"
        __awsrole_undo
        __awsrole_close
        __awsrole_note_digest
        if set -q __awsrole_failed[1]
            set problem "$__awsrole_failed: an exported universal variable can't be hidden in one shell, which therefore holds no credentials here (hint: `set -eU` it, and `set -gx` it in config.fish)"
        end
        test $event = retry; or __awsrole_say $problem
    end
end

function __awsrole_find_program
    set -g __awsrole_program $__awsrole_bin
    test -f $__awsrole_bin-hook -a -x $__awsrole_bin-hook; and set -g __awsrole_program $__awsrole_bin-hook
end

# Applies the caller's `answer`, if it has the form of one. Its statements are taken apart rather than evaluated: evaluated,
# each would be the text of a command. `read -t` tells the words, and an end of line is one, too: behind a value, the
# second word.
function __awsrole_apply --no-scope-shadowing
    string match -rq $__awsrole_answer -- "$answer"; or return 0
    builtin printf '%s\n' $answer | read -z -t -l -a words
    while set -q words[1]
        set -l size 2
        switch $words[1]
            case __awsrole_chose
                set size 1
            case __awsrole_adopt __awsrole_file
                set size 3
            case __awsrole_done
                set size 4
        end
        set -l statement $words[1..$size]
        set -l __awsrole_value
        set -e words[1..$size]
        if test "$words[2]" = \n
            set __awsrole_value $words[1]
            set -e words[1]
        end
        set -e words[1]
        $statement
    end
end

# The statements of an answer: __awsrole_set, __awsrole_hide, and these. What stands in quotes is the caller's
# __awsrole_value.

# Whether this shell may open a file, and the text that the binary found there before it decided.
function __awsrole_file --no-scope-shadowing # NUMBER own|shared
    set -a __awsrole_whose $argv[2]
    set -a __awsrole_texts "$(set -q __awsrole_value[1]; and builtin echo -n =)$__awsrole_value"
end

function __awsrole_digest -a digest
    set -g __awsrole_digest $digest
end

# An inherited value is the parent shell's doing: what stood there before it becomes this shell's outer environment.
function __awsrole_adopt --no-scope-shadowing # NAME unset|exported
    if test $argv[2] = unset
        set -eg $argv[1]
    else
        set -q argv[3]; and set -gx $argv[1] $argv[3]; or set -gx $argv[1] $__awsrole_value
    end
end

# A nested shell goes on with the role that was chosen in its parent.
function __awsrole_chose --no-scope-shadowing
    set -g __awsrole_use $argv[1] $__awsrole_value
    set -g __awsrole_use_in $__awsrole_file
end

function __awsrole_done -a state deadline depth
    __awsrole_take_views
    __awsrole_sum_up $depth
    set -g __awsrole_depth $depth
    set -g __awsrole_in_force $__awsrole_sum
    set -q __awsrole_failed[1]; and return
    set -g __awsrole_state $state
    set -g __awsrole_pending ''
    __awsrole_note_time
    if test $state = closed
        __awsrole_close
        test $deadline -eq 0; and return
    end
    __awsrole_ask_again_at $deadline
end

# What wasn't read before is seen as the binary saw it. (What is no text it doesn't hand over.)
function __awsrole_take_views
    set -g __awsrole_own
    for file in $__awsrole_files
        set -l number (builtin contains -i -- $file $__awsrole_files)
        set -q __awsrole_whose[$number]; or return
        if test $__awsrole_whose[$number] = shared
            string match -rq '^\d+=' -- $__awsrole_views[$number]; and set __awsrole_views[$number] "unread=$file"
            continue
        end
        set -a __awsrole_own $file
        test $__awsrole_views[$number] = "unread=$file"; or continue
        set -g __awsrole_view "1=$file$__awsrole_texts[$number]"
        test -n "$__awsrole_texts[$number]"; or __awsrole_read $file
        set __awsrole_views[$number] $__awsrole_view
    end
end

# --- hooks -----------------------------------------------------------------------------------------------------------

function __awsrole_hook # prompt | cd | typed
    set -l fish_trace # for all that runs from here
    test -z "$__awsrole_off"; or return 0
    if test -n "$__awsrole_pending"
        __awsrole_undo
        __awsrole_close
        __awsrole_note_digest
        __awsrole_say "interrupted: this shell holds no credentials here (hint: `awsrole refresh` asks again)"
    end
    __awsrole_mind_changes
    # Here nothing hangs on what was typed.
    switch $__awsrole_state:$__awsrole_file
        case 'hands-off:*' outer:
            __awsrole_note_generation
    end
    __awsrole_look $__awsrole_depth
    if __awsrole_fresh
        set -q __awsrole_lifted[1]; and __awsrole_lay
    else
        # Moving about inside a project isn't entering it.
        if test $argv[1] = typed
            or test $argv[1] = cd -a \( $__awsrole_state = new -o "$__awsrole_files[1]" != "$__awsrole_file" \)
            set -g __awsrole_event cd
        end
        __awsrole_sync $__awsrole_event
    end
    __awsrole_remember
end

# direnv loads and unloads at the prompt and must find the environment that it left: so awsrole's values are lifted off
# before it and laid back after it, over whatever it made of the environment. For a moment they stand unexported.
function __awsrole_lift
    set -l fish_trace
    __awsrole_mind_changes
    builtin contains -- $__awsrole_state role closed; or return
    for name in $__awsrole_touched
        if not __awsrole_intact $name
            __awsrole_forget $name
            continue
        end
        set -g __awsrole_lifted_$name
        set -qg $name; and set -g __awsrole_lifted_$name $$name
        set -a __awsrole_lifted $name
        __awsrole_restore $name
    end
end

function __awsrole_lay
    for name in $__awsrole_lifted
        set -l lifted __awsrole_lifted_$name
        set -l __awsrole_value $$lifted
        if set -q __awsrole_value[1]
            __awsrole_set $name
        else
            __awsrole_hide $name
        end
        set -eg $lifted
    end
    set -g __awsrole_lifted
end

# Handlers run in the order of their definition. Ours belongs behind direnv's, which may have come later.
function __awsrole_register
    function __awsrole_on_prompt --on-event fish_prompt
        __awsrole_unchanged; or __awsrole_hook prompt
    end

    # In `cd x && terraform plan` the role is there. In `(cd x; …)` fish really moves, so that we do, too.
    function __awsrole_on_move --on-variable PWD
        __awsrole_hook cd
    end

    # While the prompt sat there, the role may have fallen due; and Ctrl-C at a prompt's hooks leaves them half done.
    function __awsrole_on_command --on-event fish_preexec
        if test -n "$__awsrole_pending" -o "$DIRENV_WATCHES" != "$__awsrole_direnv"
            or set -q __awsrole_lifted[1]
            or __awsrole_is_due
            __awsrole_hook prompt
        end
    end

    # The only event before the prompt's, whose first handler may be direnv's.
    function __awsrole_on_end_of_command --on-event fish_postexec
        set -q __awsrole_beside_direnv; and __awsrole_lift
    end
end

# --- the command -----------------------------------------------------------------------------------------------------

function __awsrole_command
    set -l fish_trace # Under it fish writes commands to the terminal, with the secrets in them.
    __awsrole_mind_changes
    set -l code 0
    set -l event typed
    switch (builtin count $argv):$argv[1]
        case 1:off # no process, no word
            __awsrole_undo
            set -g __awsrole_off off
            set -g __awsrole_use ''
            set -g __awsrole_state new
            set -g __awsrole_pending ''
            return 0
        case 1:on
            set -g __awsrole_off
            set -g __awsrole_state new
        case 1:use 2:use
            set -l chosen $argv[2]
            if not set -q argv[2]
                set chosen ($__awsrole_bin use | string collect); or return
            else if test -z "$chosen"; or string match -q -- '-?*' $chosen # an option or nothing, not a name
                $__awsrole_bin $argv
                return
            else if test "$chosen" != - # a slip of the fingers takes no role away
                set chosen ($__awsrole_bin hook choose $chosen | string collect); or return
            end
            __awsrole_look 1
            set -g __awsrole_off
            set -g __awsrole_state new
            set -g __awsrole_use (string replace -r '^-$' '' -- $chosen)
            set -g __awsrole_use_in $__awsrole_files[1]
            __awsrole_hook typed
            test $__awsrole_state != closed
            return
        case '*'
            set -l hook on $__awsrole_off
            AWSROLE_HOOK=$hook[-1] $__awsrole_bin $argv
            set code $status
            switch "$argv[1]"
                case refresh
                    set -g __awsrole_state new
                case logout # whoever logs out isn't asking for the role again
                    set event prompt
            end
    end
    __awsrole_hook $event
    return $code
end

# For prompts, and only when they ask: prints the time left, such as `59m`; without a role nothing. No process.
function awsrole_left
    set -q AWSROLE_STATE; and string match -qr '^[0-9]+$' -- "$AWSROLE_EXPIRES"; or return 0
    set -l now (builtin path mtime -R -- $__awsrole_clock); or return 0
    set -l left (builtin math "$AWSROLE_EXPIRES - $now")
    if test $left -le 0
        builtin echo expired
    else if test $left -lt 60
        builtin echo "$left"s
    else if test $left -lt 3600
        builtin echo (builtin math "floor($left / 60)")m
    else
        builtin echo (builtin math "floor($left / 3600)")h(builtin math "floor($left / 60) % 60")m
    end
end

# Scripts that source this get nothing: no hook, no command, no change.
if status is-interactive
    function awsrole --description "Hold the AWS role of the current directory"
        __awsrole_command $argv
    end
    __awsrole_register
end
