#pragma once

#include <string>
#include <string_view>

namespace stillroom::cli {

/// SIGPIPE and SIGXFSZ ignored, so that a failing write is an answer and not a death; closed
/// descriptors 0 to 2 occupied, so that no file opened later takes their numbers and is written
/// into.
void prepare_streams();

/// Writes all of it. On failure the reason, else an empty string. Nothing is written for no text.
std::string write_stdout(std::string_view text);
void write_stderr(std::string_view text);  ///< a failure has nobody to be told

/// Whether messages are coloured. `when` is the --color given, "" for none: it wins, then NO_COLOR,
/// FORCE_COLOR and CLICOLOR_FORCE, TERM=dumb; else whether stderr is a terminal.
bool wants_color(std::string_view when);

/// Whether a view of what goes on may be redrawn on stderr: a terminal, messages are coloured, and
/// nobody collects them into a log (CI, SLURM_JOB_ID).
bool wants_redraw(std::string_view when);

/// Whether a view's lines are coloured: where it is redrawn, or as --color=always says.
bool colors_view(std::string_view when);

struct TerminalSize {
    int columns = 0;
    int rows = 0;
};

/// Of the terminal on stderr, asked anew with each call; nothing of it while another process group
/// has the terminal.
TerminalSize view_size();

/// Columns for text on stdout: those of the terminal, COLUMNS, or 80; at least 20.
int columns();

/// Breaks paragraphs at blanks so that lines fit, each line after the first indented by `indent`
/// blanks. A word longer than the line stands alone. Line ends in the text stay.
std::string wrap(std::string_view text, int width, int indent = 0);

/// As much of the text as has room in `width` columns, with "..." where it was cut. Marks without a
/// width are cut too where there are very many.
std::string fit(std::string_view text, int width);

/// The word as a shell takes it: in single quotes where it holds more than a plain path does.
std::string shell_word(std::string_view word);

/// Two columns, the second wrapped beside the first, or below it where there is no room.
class TwoColumns {
public:
    TwoColumns(int width, int left) : width_(width), left_(left) {}
    std::string row(std::string_view name, std::string_view text) const;

private:
    int width_;
    int left_;
};

}  // namespace stillroom::cli
