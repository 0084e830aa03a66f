#include "engine/cli/terminal.h"

#include "engine/base/files.h"
#include "engine/base/text.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace stillroom::cli {
namespace {

/// In the words of our own messages: lower case.
std::string reason(int code) {
    if (code == EBADF)
        return "it is closed";
    std::string text = std::strerror(code);
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z')
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

std::string write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        ssize_t count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return reason(errno);
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return "";
}

bool is_set(const char* name) {
    return !environment(name).empty();
}

}  // namespace

void prepare_streams() {
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);
    for (int descriptor = 0; descriptor <= 2; ++descriptor)
        if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
            (void)::open("/dev/null", O_RDONLY);  // the lowest free number; a write to it fails
}

std::string write_stdout(std::string_view text) {
    return write_all(STDOUT_FILENO, text);
}

void write_stderr(std::string_view text) {
    write_all(STDERR_FILENO, text);
}

bool wants_color(std::string_view when) {
    if (when == "always" || when == "never")
        return when == "always";
    if (is_set("NO_COLOR"))
        return false;
    for (const char* name : {"FORCE_COLOR", "CLICOLOR_FORCE"})
        if (is_set(name) && environment(name) != "0")
            return true;
    return environment("TERM") != "dumb" && ::isatty(STDERR_FILENO) == 1;
}

bool wants_redraw(std::string_view when) {
    return wants_color(when) && ::isatty(STDERR_FILENO) == 1 && !is_set("CI") &&
           !is_set("SLURM_JOB_ID") && environment("TERM") != "dumb";
}

bool colors_view(std::string_view when) {
    return wants_redraw(when) || when == "always";
}

TerminalSize view_size() {
    constexpr TerminalSize kDefault{80, 24};
    pid_t group = ::tcgetpgrp(STDERR_FILENO);
    if (group > 0 && group != ::getpgrp())
        return {};
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return kDefault;
    return {size.ws_col, size.ws_row};
}

int columns() {
    constexpr int kDefault = 80;
    constexpr int kLeast = 20;
    winsize size{};
    int found = std::atoi(environment("COLUMNS").c_str());
    if (found <= 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        found = size.ws_col;
    return found > 0 ? std::max(found, kLeast) : kDefault;
}

std::string wrap(std::string_view text, int width, int indent) {
    std::string out;
    int used = 0;
    bool first_line = true;
    for (const std::string& paragraph : split(text, '\n')) {
        if (!first_line)
            out += '\n', used = 0;
        first_line = false;
        for (const std::string& word : split(paragraph, ' ')) {
            if (word.empty())
                continue;
            int needed = display_width(word);
            bool starts_line = out.empty() || out.back() == '\n';
            if (!starts_line && used + 1 + needed > width) {
                out += '\n';
                used = 0;
                starts_line = true;
            }
            if (starts_line && out.find('\n') != std::string::npos) {
                out.append(static_cast<std::size_t>(indent), ' ');
                used = indent;
            } else if (!starts_line) {
                out += ' ';
                ++used;
            }
            out += word;
            used += needed;
        }
    }
    return out;
}

std::string fit(std::string_view text, int width) {
    constexpr std::size_t kMarksPerColumn = 4;
    constexpr std::string_view kCut = "...";
    auto most = static_cast<std::size_t>(std::max(width, 0)) * kMarksPerColumn;
    int used = 0;
    std::size_t count = 0;
    std::size_t cut = 0;  // where the text ends if it has to make room for the dots
    for (std::size_t i = 0; i < text.size();) {
        std::size_t begin = i;
        decode_utf8(text, i);
        used += display_width(text.substr(begin, i - begin));
        if (used <= width - static_cast<int>(kCut.size()) && ++count < most)
            cut = i;
        if (used > width || count >= most)
            return std::string(text.substr(0, cut)) +
                   std::string(kCut.substr(0, static_cast<std::size_t>(std::clamp(width, 0, 3))));
    }
    return std::string(text);
}

std::string shell_word(std::string_view word) {
    auto is_plain = [](char c) {
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
        return is_letter || std::string_view("0123456789._-+/,:@%").find(c) != std::string::npos;
    };
    if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain))
        return std::string(word);
    std::string out = "'";
    for (char c : word)
        out += c == '\'' ? "'\\''" : std::string(1, c);
    return out + "'";
}

std::string TwoColumns::row(std::string_view name, std::string_view text) const {
    constexpr int kNarrow = 24;  // with less room for the text it stands below the name
    bool too_wide = display_width(name) > width_ - 2;
    std::string out = "  " + (too_wide ? wrap(name, width_ - 2, 4) : std::string(name));
    if (text.empty())
        return out + "\n";
    int start = left_ + 4;
    bool below = width_ - start < kNarrow;
    if (below)
        start = 6;
    if (below || display_width(name) > left_)
        out += "\n" + std::string(static_cast<std::size_t>(start), ' ');
    else
        out.append(static_cast<std::size_t>(start - 2 - display_width(name)), ' ');
    int room = std::max(width_ - start, 8);
    std::string wrapped = wrap(text, room);
    for (char c : wrapped) {
        out += c;
        if (c == '\n')
            out.append(static_cast<std::size_t>(start), ' ');
    }
    return out + "\n";
}

}  // namespace stillroom::cli
