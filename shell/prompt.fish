# The role in the prompt of fish. In ~/.config/fish/config.fish, after the line that loads the hook:
#   awsrole prompt fish | source
# It is put at the end of the right prompt. Call awsrole_segment in a prompt to have it elsewhere. No process starts for
# it.
set -g __awsrole_clock @CLOCK@

# Prints the segment, such as `[Deploy shop-prod 59m]`, between two texts.
function awsrole_segment # [BEFORE [AFTER]]
    set -l text
    set -l color cyan
    if test "$AWSROLE_STATE" = blocked
        set text '[blocked]'
        set color red
    else if test "$__awsrole_state" = inactive
        set text '[inactive]'
        set color red
    else if test -n "$AWSROLE_ROLE"
        set -l parts $AWSROLE_ROLE $AWSROLE_ACCOUNT (awsrole_left)
        set text "[$parts]"
        string match -qr '[[:cntrl:]]' -- $text; and set text (string replace -ra '[[:cntrl:]]' '?' -- $text)
        contains -- "$AWSROLE_COLOR" black red green yellow blue magenta white; and set color $AWSROLE_COLOR
    end
    test -n "$text"; or return 0
    test "$TERM" = dumb -o -z "$TERM" -o -n "$NO_COLOR"; and set color
    builtin echo -n "$argv[1]"
    set -q color[1]; and set_color $color
    builtin echo -n "$text"
    set -q color[1]; and set_color normal
    builtin echo -n "$argv[2]"
end

# A theme may replace the prompts at any time. Their texts are searched only once, because that takes milliseconds. fish
# shows no right prompt on a dumb terminal.
function __awsrole_add_segment --on-event fish_prompt
    if not set -q __awsrole_segment_added
        set -g __awsrole_segment_added
        for name in fish_prompt fish_right_prompt
            builtin functions -q $name; or continue
            builtin functions $name | string match -q '*awsrole_segment*'; or continue
            builtin functions -e __awsrole_add_segment
            return
        end
    end
    set -l name fish_right_prompt
    test "$TERM" = dumb; and set name fish_prompt
    builtin functions -q $name; and builtin functions -Dv $name | string match -q '*awsrole segment*'; and return
    builtin functions -e __awsrole_own_prompt
    builtin functions -q $name; and builtin functions -c $name __awsrole_own_prompt
    if test $name = fish_prompt
        function fish_prompt -d 'awsrole segment and the prompt'
            set -l code $status
            awsrole_segment '' ' '
            __awsrole_return $code
            __awsrole_own_prompt
        end
    else
        function fish_right_prompt -d 'the right prompt and awsrole segment'
            builtin functions -q __awsrole_own_prompt; and __awsrole_own_prompt
            awsrole_segment ' '
        end
    end
end

function __awsrole_return -a code
    return $code
end
