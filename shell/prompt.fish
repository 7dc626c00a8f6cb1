# The role in the prompt of fish. In ~/.config/fish/config.fish, after the line that loads the hook:
#   awsrole prompt fish | source
# It is put at the end of the right prompt. Call awsrole_segment in a prompt to have it elsewhere. No process starts for
# it.
set -g __awsrole_clock @CLOCK@

# Prints a segment such as ` [Deploy shop-prod 59m]`.
function awsrole_segment
    set -l text
    set -l color cyan
    if test "$AWSROLE_STATE" = blocked
        set text '[no role]'
        set color red
    else if test "$__awsrole_state" = hands-off
        set text '[inactive]'
        set color red
    else if test -n "$AWSROLE_ROLE"
        set text "["(string join ' ' -- $AWSROLE_ROLE $AWSROLE_ACCOUNT (awsrole_left))"]"
        set text (string replace -ra '[[:cntrl:]]' '?' -- $text | string join '?')
        contains -- "$AWSROLE_COLOR" black red green yellow blue magenta white; and set color $AWSROLE_COLOR
    end
    test -n "$text"; or return 0
    if test "$TERM" = dumb -o -z "$TERM" -o -n "$NO_COLOR"
        builtin echo -n " $text"
    else
        builtin echo -n " "(set_color $color)$text(set_color normal)
    end
end

# A theme may have replaced the prompts.
function __awsrole_add_segment --on-event fish_prompt
    for name in fish_prompt fish_right_prompt
        builtin functions -q $name; and builtin functions $name | string match -q '*awsrole_segment*'; and return
    end
    builtin functions -e __awsrole_right_prompt
    builtin functions -q fish_right_prompt; and builtin functions -c fish_right_prompt __awsrole_right_prompt
    function fish_right_prompt
        builtin functions -q __awsrole_right_prompt; and __awsrole_right_prompt
        awsrole_segment
    end
end
