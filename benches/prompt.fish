# Measures an unchanged prompt in fish: fish --no-config benches/prompt.fish SNIPPET [ROUNDS [PROMPTS]]
#
# SNIPPET is a file with the output of `awsrole hook fish`. The measurement applies to the working directory. For each
# round it prints a line: the microseconds of one event with the hook as its handler, and of one with an empty handler.
# Both are measured alternately, so that load of the machine affects both alike. fish has no clock, so `date` is called
# outside of what is measured.
set rounds $argv[2]
set -q rounds[1]; or set rounds 50
set prompts $argv[3]
set -q prompts[1]; or set prompts 100
source $argv[1]
__awsrole_register

function empty --on-event empty
end

function microseconds -a event
    set -l i 0
    set -l numbers (seq $prompts)
    set -l start (date +%s%N)
    for i in $numbers
        emit $event
    end
    math -s1 "($(date +%s%N) - $start) / 1000 / $prompts"
end

emit fish_prompt
for round in (seq $rounds)
    echo (microseconds fish_prompt) (microseconds empty)
end
