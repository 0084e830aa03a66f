#include "engine/base/json.h"
#include "engine/cli/command.h"
#include "engine/cli/complete.h"
#include "engine/cli/run_verbs.h"

namespace stillroom::cli {
namespace {

// Each script only asks the program that is being completed and hands on its answer: a candidate a
// line, with a blank at its end where it is whole. Nothing is ever printed on stderr.

// Bash cuts words at the characters of COMP_WORDBREAKS, '=' and ':' among them, so that the program
// gets the line itself and answers with what follows the last cut.
constexpr std::string_view kBash = R"(# bash completion of stillroom
_stillroom() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <("$1" __complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o nospace -F _stillroom stillroom
)";

constexpr std::string_view kZsh = R"(#compdef stillroom
_stillroom() {
    local -a found
    found=("${(@f)$("${(Q)words[1]}" __complete zsh "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -S ' ' -- ${${(M)found:#* }% }
    compadd -S '' -- ${found:#(* |)}
}
if [ "$funcstack[1]" = _stillroom ]; then
    _stillroom
else
    compdef _stillroom stillroom
fi
)";

constexpr std::string_view kFish = R"(# fish completion of stillroom
function __stillroom_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    $words[1] __complete fish $words[2..-1] "$current" 2>/dev/null
end
complete -c stillroom -f -a '(__stillroom_complete)'
)";

}  // namespace

std::string completion_script(std::string_view shell) {
    return std::string(shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish);
}

void run_completion(Command& command) {
    command.text = completion_script(command.line.words.front().text);
    command.write_result([&](JsonWriter& out) { out.string(command.text); });
}

}  // namespace stillroom::cli
