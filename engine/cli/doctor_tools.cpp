#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/build_info.h"
#include "engine/cli/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>

// What builds the program: found by looking where a shell, a compiler and a linker would look.

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

struct Needed {
    const char* what;     ///< a command, or a header below usr/include
    const char* package;  ///< Debian's name
};

constexpr Needed kTools[] = {{"g++", "g++"},
                             {"meson", "meson"},
                             {"ninja", "ninja-build"},
                             {"pkg-config", "pkg-config"},
                             {"ld.lld", "lld"},
                             {"ccache", "ccache"},
                             {"python3", "python3"}};
constexpr Needed kHeaders[] = {{"fmt/core.h", "libfmt-dev"},
                               {"pcre2.h", "libpcre2-dev"},
                               {"CLI/CLI.hpp", "libcli11-dev"},
                               {"doctest/doctest.h", "doctest-dev"}};

bool is_there(const fs::path& path) {
    std::error_code error;
    return fs::exists(path, error);
}

/// The first of the folders that holds the name.
std::optional<fs::path> find_in(const std::vector<fs::path>& folders, const std::string& name) {
    for (const fs::path& folder : folders)
        if (is_there(folder / name))
            return folder / name;
    return std::nullopt;
}

std::vector<fs::path> folders_of(const char* variable) {
    std::vector<fs::path> folders;
    for (const std::string& folder : split(environment(variable), ':'))
        if (!folder.empty())
            folders.emplace_back(folder);
    return folders;
}

/// "ok" with what was found, or "missing" with the package for each that was not.
Check all_of(const std::string& name,
             std::span<const Needed> needed,
             const std::vector<fs::path>& folders,
             const std::string& found) {
    std::vector<std::string> absent;
    std::vector<std::string> packages;
    for (const Needed& one : needed) {
        if (find_in(folders, one.what))
            continue;
        absent.emplace_back(one.what);
        packages.emplace_back(one.package);
    }
    if (absent.empty())
        return {name, "ok", found, ""};
    std::string install = "apt-get install";
    for (const std::string& package : packages)
        install += " " + package;
    return {name, "missing", "no " + join(absent, "and no"), install + "; needed to build only"};
}

bool is_torch(const fs::path& folder) {
    return is_there(folder / "lib/libtorch_cpu.so");
}

/// What the program was built with comes first: workers load that one.
Check libtorch() {
    std::string given = environment("STILLROOM_TORCH");
    std::vector<fs::path> candidates;
    if (!kTorchRoot.empty())
        candidates.emplace_back(kTorchRoot);
    if (!given.empty() && given != "none") {
        candidates.emplace_back(given);
        candidates.push_back(fs::path(given) / "torch");
    }
    for (const std::string& name : list_folder(cache_folder()))
        if (name.starts_with("libtorch-"))
            candidates.push_back(cache_folder() / name / "torch");
    for (const fs::path& folder : candidates) {
        if (!is_torch(folder))
            continue;
        if (folder == fs::path(kTorchRoot))
            return {"LibTorch", "ok", fmt::format("{} in {}", kLibTorch, folder.string()), ""};
        return {"LibTorch",
                "warning",
                fmt::format("in {}, but this program was built without it", folder.string()),
                "./stillroom builds with it; unset STILLROOM_TORCH if it is none"};
    }
    if (!kTorchRoot.empty())
        return {"LibTorch",
                "missing",
                fmt::format("{} was in {} and is gone", kLibTorch, kTorchRoot),
                "./stillroom fetches it again (531 MB)"};
    return {"LibTorch",
            "missing",
            "not found; recipes can be read and checked, stages cannot run",
            "./stillroom fetches it (531 MB), or STILLROOM_TORCH=FOLDER names one"};
}

std::optional<fs::path> find_nvcc(const fs::path& root) {
    std::vector<fs::path> folders = folders_of("PATH");
    std::string home = environment("CUDA_HOME");
    if (!home.empty())
        folders.push_back(fs::path(home) / "bin");
    folders.push_back(root / "usr/local/cuda/bin");
    return find_in(folders, "nvcc");
}

/// The text between `"key" : "` and the next quote, after `"after"`.
std::string quoted_after(const std::string& text, std::string_view after, std::string_view key) {
    std::size_t at = text.find(fmt::format("\"{}\"", after));
    at = at == std::string::npos ? at : text.find(fmt::format("\"{}\"", key), at);
    at = at == std::string::npos ? at : text.find('"', at + key.size() + 2);
    if (at == std::string::npos)
        return "";
    std::size_t end = text.find('"', at + 1);
    return end == std::string::npos ? "" : text.substr(at + 1, end - at - 1);
}

Check cuda(const fs::path& root) {
    std::optional<fs::path> nvcc = find_nvcc(root);
    if (!nvcc)
        return {"CUDA toolkit",
                "missing",
                "no nvcc in PATH, CUDA_HOME or /usr/local/cuda",
                "only GPU kernels need it: install the CUDA 13 toolkit"};
    fs::path version_file = nvcc->parent_path().parent_path() / "version.json";
    std::string version =
        is_there(version_file)
            ? quoted_after(read_file(version_file, 1 << 20), "cuda_nvcc", "version")
            : "";
    std::string detail = nvcc->string() + (version.empty() ? "" : ", " + version);
    if (!version.empty() && !version.starts_with("13."))
        return {"CUDA toolkit",
                "warning",
                detail + ": LibTorch 2.11 is built for 13",
                "install the CUDA 13 toolkit"};
    if (kCuda.empty())
        return {"CUDA toolkit",
                "warning",
                detail + ", but this program was built without it",
                "build again: ./stillroom"};
    return {"CUDA toolkit", "ok", detail, ""};
}

Check nccl(const fs::path& root) {
    std::vector<fs::path> folders = folders_of("LD_LIBRARY_PATH");
    if (!kTorchRoot.empty())
        folders.push_back(fs::path(kTorchRoot).parent_path() / "nvidia/nccl/lib");
    for (const char* folder : {"usr/local/cuda/lib64", "usr/local/lib", "usr/lib/x86_64-linux-gnu"})
        folders.push_back(root / folder);
    if (std::optional<fs::path> library = find_in(folders, "libnccl.so.2"))
        return {"NCCL", "ok", library->string(), ""};
    return {
        "NCCL",
        "missing",
        "no libnccl.so.2 in the toolkit, beside LibTorch or among the system's libraries",
        "only several GPUs need it: it comes with the CUDA toolkit or as nvidia-nccl-cu13==2.28.9"};
}

}  // namespace

std::vector<Check> examine_tools(const fs::path& root) {
    return {all_of("build tools", kTools, folders_of("PATH"), "g++, Meson, Ninja, lld and ccache"),
            all_of("libraries",
                   kHeaders,
                   {root / "usr/include", root / "usr/local/include"},
                   "fmt, PCRE2, CLI11 and doctest"),
            libtorch(),
            cuda(root),
            nccl(root)};
}

}  // namespace stillroom::cli
