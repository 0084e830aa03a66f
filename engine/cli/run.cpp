#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/build_info.h"
#include "engine/cli/build_revision.h"
#include "engine/cli/command.h"
#include "engine/cli/command_line.h"
#include "engine/cli/complete.h"
#include "engine/cli/help_text.h"
#include "engine/cli/terminal.h"
#include "engine/run/worker.h"

#include <execinfo.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <new>
#include <system_error>

namespace stillroom {
namespace {

using namespace cli;

void say_bug(std::string_view what) {
    write_stderr(
        fmt::format("error: internal error: {} (stillroom {}, build {})\n"
                    "hint: this is a bug of stillroom, please report it with the command; --debug "
                    "shows where it happened\n",
                    what,
                    kVersion,
                    kRevision));
}

/// With --debug an unknown exception is not caught: the stack still stands when this is called.
[[noreturn]] void show_stack_and_exit() {
    constexpr int kMost = 64;
    void* frames[kMost];
    write_stderr("error: internal error; the calls that led to it, newest first:\n");
    ::backtrace_symbols_fd(frames, ::backtrace(frames, kMost), STDERR_FILENO);
    ::_exit(kExitInternal);
}

/// Of a thread. What is thrown out of a function that may not throw is no current exception: the
/// standard library has such functions, and they take memory.
thread_local bool memory_was_refused = false;

[[noreturn]] void remember_refusal() {
    memory_was_refused = true;
    throw std::bad_alloc();
}

/// Where even to say what went wrong takes memory that is not there, or what throws may not.
[[noreturn]] void end_without_memory() {
    try {
        if (std::exception_ptr failure = std::current_exception())
            std::rethrow_exception(failure);
        if (memory_was_refused)
            throw std::bad_alloc();
    } catch (const std::bad_alloc&) {
        write_stderr("error: out of memory\n");
        ::_exit(kExitResource);
    } catch (...) {
    }
    std::abort();
}

/// Help and version stand before all else, so that they work whatever is broken.
bool answers_at_once(Command& command) {
    const CommandLine& line = command.line;
    if (line.has("--version")) {
        command.text = version_text();
        command.result = version_json();
        return true;
    }
    bool asks_help = line.has("--help") || line.verb_word.text.empty();
    if (!asks_help)
        return false;
    command.text = line.verb ? verb_help(*line.verb, command.columns) : overview(command.columns);
    command.write_result([&](JsonWriter& out) { out.string(command.text); });
    return true;
}

void run_verb(Command& command) {
    read_limits(command);
    if (!command.diagnostics.ok())
        return;
    try {
        command.line.verb->run(command);
    } catch (const Error& error) {
        add_error(command.diagnostics, error);
    } catch (const std::filesystem::filesystem_error& error) {
        command.diagnostics
            .error(0,
                   {},
                   fmt::format("cannot use {}: {}", error.path1().string(), error.code().message()))
            .exits(kExitResource);
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::resource_unavailable_try_again &&
            error.code() != std::errc::not_enough_memory)
            throw;
        command.diagnostics
            .error(0, {}, fmt::format("cannot start a thread: {}", error.code().message()))
            .with_hint("memory, or the number of processes, is limited here: see `ulimit -a`")
            .exits(kExitResource);
    }
}

/// The files read and the time taken, for --verbose.
std::string work_done(const Sources& sources, std::chrono::steady_clock::time_point start) {
    std::string out;
    for (const auto& source : sources.all())
        if (!source->is_argument())
            out += fmt::format("read {}\n", escape_controls(source->name()));
    auto spent =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start);
    return out + fmt::format("took {:.1f} ms\n", spent.count());
}

int run(int argc, char** argv) {
    auto start = std::chrono::steady_clock::now();
    Sources sources;
    Diagnostics diagnostics;
    CommandLine line = read_command_line(argc, argv, sources, diagnostics);
    Command command{line, sources, diagnostics};
    command.columns = columns();
    if (diagnostics.ok() && !answers_at_once(command))
        run_verb(command);
    // The standard library makes "there is no such file" of it, and more that is not so.
    if (memory_was_refused && !diagnostics.ok())
        throw std::bad_alloc();
    if (command.verbose())
        command.progress += work_done(sources, start);
    return finish(command);
}

}  // namespace

int run_command_line(int argc, char** argv) {
    std::set_terminate(end_without_memory);
    std::set_new_handler(remember_refusal);
    prepare_streams();
    std::vector<std::string_view> words(argv, argv + argc);
    if (words.size() > 1 && words[1] == "__complete")
        return answer_completion(argc, argv);
    if (words.size() == 2 && words[1] == "--man") {
        std::string failure = write_stdout(man_page());
        return failure.empty() ? kExitOk : kExitResource;
    }
    if (words.size() > 1 && words[1] == "worker")
        run_worker({words.begin() + 2, words.end()},
                   {argv[0], words.back().data() + words.back().size() + 1});
    for (std::string_view word : words)
        if (word == "--debug") {
            std::set_terminate(show_stack_and_exit);
            return run(argc, argv);
        }
    try {
        return run(argc, argv);
    } catch (const std::bad_alloc&) {
        write_stderr("error: out of memory\n");
        return kExitResource;
    } catch (const std::exception& failure) {
        say_bug(failure.what());
    } catch (...) {
        say_bug("an exception of no known kind");
    }
    return kExitInternal;
}

}  // namespace stillroom
