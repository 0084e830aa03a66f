#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stillroom::cli {

/// The hidden `stillroom __complete SHELL ...` that completion scripts call: prints what may stand
/// at the cursor, a line each, and never an error. A candidate that ends in a blank is whole.
///   __complete bash WORDBREAKS LINE_UP_TO_THE_CURSOR
///   __complete zsh|fish WORD... CURRENT_WORD
int answer_completion(int argc, char** argv);

/// What may stand for the last of `words`, which begins as it stands; "stillroom" itself left out.
std::vector<std::string> complete(const std::vector<std::string>& words);

/// The script of a shell: "bash", "zsh" or "fish".
std::string completion_script(std::string_view shell);

/// Splits a line as a shell would, up to the cursor: the last word may have an open quote.
std::vector<std::string> split_shell_line(std::string_view line);

}  // namespace stillroom::cli
