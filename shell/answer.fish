# Parses the answer of the binary and runs its statements.

# The form of an answer: statements of one line, except in single quotes, up to the last one.
set -g __awsrole_quoted '\'(?:[^\\\\\']++|\\\\.)*+\''
set -g __awsrole_form "\A(?:__awsrole_(?:set \w+ $__awsrole_quoted|(?:hide|unset|digest) \w+|\
chose(?:_profile)? $__awsrole_quoted|adopt \w+ (?:unset|exported $__awsrole_quoted)|\
file \d+ (?:own|shared)(?: $__awsrole_quoted)?)\n)*\
__awsrole_done [\w-]+ \d+ \d+\s*\z"

# Applies the caller's `answer`. Its statements are parsed instead of evaluated, because `eval` would make each the text
# of a command. `read -t` splits it into words. A newline is a word, too: the second one after a value.
function __awsrole_apply --no-scope-shadowing
    string match -rq $__awsrole_form -- "$answer"; or return 0
    builtin printf '%s\n' $answer | read -z -t -l -a words
    while set -q words[1]
        set -l size 2
        switch $words[1]
            case __awsrole_chose __awsrole_chose_profile
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

# The other statements of an answer. A quoted value is in the caller's __awsrole_value.
function __awsrole_file --no-scope-shadowing # NUMBER own|shared ['TEXT that the binary read']
    set -a __awsrole_whose $argv[2]
    set -a __awsrole_texts "$(set -q __awsrole_value[1]; and builtin echo -n =)$__awsrole_value"
end

function __awsrole_digest -a digest
    set -g __awsrole_digest $digest
end

function __awsrole_unset -a name # remaining awsrole values of changed keys
    set -eg $name
end

function __awsrole_adopt --no-scope-shadowing # NAME unset | NAME exported 'VALUE'
    set -eg $argv[1]
    test $argv[2] = unset; or set -gx $argv[1] $__awsrole_value
end

function __awsrole_chose --no-scope-shadowing # 'WORD': the role that the parent shell chose
    set -g __awsrole_use $__awsrole_value
    set -g __awsrole_use_in $__awsrole_file
end

function __awsrole_chose_profile --no-scope-shadowing # 'WORD': the profile that the parent shell chose
    set -g __awsrole_profile $__awsrole_value
end
