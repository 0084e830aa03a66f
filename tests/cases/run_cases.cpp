// Runs the cases: folders that hold what is given and what must come out.
//
//   recipe.yaml, ...   any files; the case runs in a fresh copy of its folder
//   cmd                lines of arguments for stillroom, quoted as for a shell; a line `$ LINE` is
//   run by
//                      the shell as it stands. Absent: `check recipe.yaml`
//   expected.out       what must stand on stdout; absent: nothing
//   expected.err       the same of stderr
//   code               the exit code of the last line; absent: 2 where expected.err exists, else 0
//
// A folder with one of these is a case, any other holds cases. The copy's path reads
// <case> in the output, the source tree's <source>. STILLROOM_ACCEPT=1 rewrites what is expected.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace fs = std::filesystem;

namespace {

constexpr auto kTimeLimit = std::chrono::seconds(120);
constexpr int kAtOnce = 2;

struct Case {
    std::string name;
    fs::path folder;
};

struct Output {
    std::string out;
    std::string err;
    int code = 0;
};

struct Setting {
    fs::path program;
    fs::path source_root;
    fs::path scratch;
    bool accept = false;
};

std::string read_text(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
        text.replace(at, from.size(), to);
        at += to.size();
    }
}

void find_cases(const fs::path& root, const fs::path& folder, std::vector<Case>& cases) {
    for (const char* name : {"cmd", "recipe.yaml", "expected.out", "expected.err"})
        if (fs::exists(folder / name)) {
            cases.push_back({folder.lexically_relative(root).string(), folder});
            return;
        }
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
        if (entry.is_directory())
            find_cases(root, entry.path(), cases);
}

std::string shell_script(const fs::path& folder) {
    std::string script;
    std::istringstream lines(fs::exists(folder / "cmd") ? read_text(folder / "cmd")
                                                        : "check recipe.yaml");
    for (std::string line; std::getline(lines, line);) {
        if (line.empty())
            continue;
        script += line.starts_with("$ ") ? line.substr(2) : "stillroom " + line;
        script += '\n';
    }
    return script;
}

/// What the program sees: nothing of the user's but what runs it.
std::vector<std::string> clean_environment(const Setting& setting, const fs::path& home) {
    std::vector<std::string> variables = {"HOME=" + home.string(),
                                          "LC_ALL=C.UTF-8",
                                          "TERM=dumb",
                                          "SOURCE=" + setting.source_root.string()};
    const char* path = std::getenv("PATH");
    variables.push_back("PATH=" + setting.program.parent_path().string() + ":" +
                        (path ? path : "/usr/bin:/bin"));
    for (const char* name :
         {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH", "STILLROOM_SCHEMA_PATH", "TOY"})
        if (const char* value = std::getenv(name))
            variables.push_back(std::string(name) + "=" + value);
    return variables;
}

int run_script(const std::string& script,
               const fs::path& folder,
               const std::vector<std::string>& variables,
               const fs::path& out,
               const fs::path& err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);

    std::vector<std::string> words = {"sh", "-c", script};
    std::vector<char*> argv, envp;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> copies = variables;
    for (std::string& variable : copies)
        envp.push_back(variable.data());
    envp.push_back(nullptr);

    pid_t child = 0;
    int failed = posix_spawn(&child, "/bin/sh", &actions, &attributes, argv.data(), envp.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        return 127;
    auto deadline = std::chrono::steady_clock::now() + kTimeLimit;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > deadline)
            kill(-child, SIGKILL);
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Output run_case(const Setting& setting, const Case& one, std::size_t index) {
    fs::path place = setting.scratch / std::to_string(index);
    fs::path folder = place / "case";
    fs::path home = place / "home";
    fs::create_directories(home);
    fs::copy(one.folder, folder, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    for (const char* name : {"cmd", "expected.out", "expected.err", "code"})
        fs::remove(folder / name);

    Output output;
    output.code = run_script(shell_script(one.folder),
                             folder,
                             clean_environment(setting, home),
                             place / "out",
                             place / "err");
    output.out = read_text(place / "out");
    output.err = read_text(place / "err");
    for (std::string* text : {&output.out, &output.err}) {
        replace_all(*text, folder.string(), "<case>");
        replace_all(*text, home.string(), "<home>");
        replace_all(*text, setting.source_root.string(), "<source>");
    }
    fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add);
    fs::remove_all(place);
    return output;
}

int expected_code(const fs::path& folder) {
    if (fs::exists(folder / "code"))
        return std::atoi(read_text(folder / "code").c_str());
    return fs::exists(folder / "expected.err") ? 2 : 0;
}

void accept_file(const fs::path& path, const std::string& text) {
    if (text.empty())
        fs::remove(path);
    else if (!fs::exists(path) || read_text(path) != text)
        write_text(path, text);
}

void accept(const Case& one, const Output& output) {
    accept_file(one.folder / "expected.out", output.out);
    accept_file(one.folder / "expected.err", output.err);
    fs::remove(one.folder / "code");
    if (expected_code(one.folder) != output.code)
        write_text(one.folder / "code", std::to_string(output.code) + "\n");
}

/// The difference as `diff` shows it, or nothing.
std::string difference(const Setting& setting,
                       std::size_t index,
                       const fs::path& expected,
                       const std::string& actual) {
    std::string wanted = fs::exists(expected) ? read_text(expected) : "";
    if (wanted == actual)
        return "";
    fs::path name = setting.scratch / ("difference" + std::to_string(index));
    write_text(name.string() + ".wanted", wanted);
    write_text(name.string() + ".actual", actual);
    std::string command = "diff -u --label '" + expected.filename().string() +
                          "' --label actual '" + name.string() + ".wanted' '" + name.string() +
                          ".actual'";
    std::string text;
    if (FILE* pipe = popen(command.c_str(), "r")) {
        char buffer[4096];
        for (std::size_t count; (count = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
            text.append(buffer, count);
        pclose(pipe);
    }
    return text;
}

std::string complaint(const Setting& setting,
                      const Case& one,
                      const Output& output,
                      std::size_t index) {
    std::string text = difference(setting, index, one.folder / "expected.out", output.out) +
                       difference(setting, index, one.folder / "expected.err", output.err);
    if (int wanted = expected_code(one.folder); wanted != output.code)
        text += "exit code " + std::to_string(output.code) + ", expected " +
                std::to_string(wanted) + "\n";
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: run_cases PROGRAM SOURCE_ROOT FOLDER [PART_OF_NAME]...\n");
        return 2;
    }
    Setting setting;
    setting.program = fs::canonical(argv[1]);
    setting.source_root = fs::canonical(argv[2]);
    const char* wants_accept = std::getenv("STILLROOM_ACCEPT");
    setting.accept = wants_accept && std::string(wants_accept) == "1";
    std::string pattern = (fs::temp_directory_path() / "stillroom-cases-XXXXXX").string();
    if (!mkdtemp(pattern.data())) {
        std::perror("run_cases: no scratch folder");
        return 2;
    }
    setting.scratch = fs::canonical(pattern);

    std::vector<Case> cases;
    fs::path root = fs::canonical(argv[3]);
    find_cases(root, root, cases);
    auto unwanted = [&](const Case& one) {
        return argc > 4 && std::none_of(argv + 4, argv + argc, [&](const char* part) {
                   return one.name.find(part) != std::string::npos;
               });
    };
    std::erase_if(cases, unwanted);
    std::sort(
        cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.name < b.name; });

    std::atomic<std::size_t> next = 0;
    std::atomic<std::size_t> failed = 0;
    std::mutex printing;
    auto work = [&] {
        for (std::size_t index; (index = next++) < cases.size();) {
            const Case& one = cases[index];
            Output output = run_case(setting, one, index);
            if (setting.accept)
                accept(one, output);
            std::string text = complaint(setting, one, output, index);
            if (text.empty())
                continue;
            ++failed;
            std::lock_guard<std::mutex> lock(printing);
            std::printf("FAILED %s\n%s\n", one.name.c_str(), text.c_str());
        }
    };
    std::vector<std::thread> workers;
    for (int i = 0; i < kAtOnce; ++i)
        workers.emplace_back(work);
    for (std::thread& worker : workers)
        worker.join();
    fs::remove_all(setting.scratch);

    std::printf("cases: %zu passed, %zu failed\n", cases.size() - failed, failed.load());
    return failed > 0 || cases.empty() ? 1 : 0;
}
