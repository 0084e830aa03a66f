#include "engine/cli/doctor.h"

#include "engine/base/files.h"
#include "engine/cli/build_info.h"
#include "engine/recipe/search_path.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <iterator>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

constexpr double kGigabyte = 1e9;
constexpr double kEnoughDisk = 20 * kGigabyte;  // a small model, its data and a few checkpoints

/// The folder itself, or the nearest one above it that is there.
fs::path nearest_existing(fs::path folder) {
    std::error_code error;
    while (!folder.empty() && !fs::exists(folder, error) && folder != folder.parent_path())
        folder = folder.parent_path();
    return folder.empty() ? fs::path(".") : folder;
}

Check disk(const std::string& name, const fs::path& folder, const std::string& variable) {
    struct statvfs status {};
    if (::statvfs(nearest_existing(folder).c_str(), &status) != 0)
        return {name, "warning", folder.string() + " cannot be looked at", ""};
    double free = static_cast<double>(status.f_bavail) * static_cast<double>(status.f_frsize);
    Check check{
        name, "ok", fmt::format("{}, {:.1f} GB free", folder.string(), free / kGigabyte), ""};
    if (free < kEnoughDisk) {
        check.state = "warning";
        check.fix = fmt::format("models and checkpoints take tens of GB; {} moves it", variable);
    }
    return check;
}

Check data() {
    fs::path folder = data_folder();
    if (folder.empty())
        return {"schemas and recipes",
                "missing",
                "no share/stillroom near the program",
                "run ./stillroom from the checkout, or `meson install`"};
    return {"schemas and recipes", "ok", folder.string(), ""};
}

fs::path hugging_face() {
    std::string home = environment("HF_HOME");
    if (!home.empty())
        return home;
    std::string cache = environment("XDG_CACHE_HOME");
    return (cache.empty() ? home_folder() / ".cache" : fs::path(cache)) / "huggingface";
}

Check network() {
    for (const char* name : {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}) {
        std::string value = environment(name);
        if (!value.empty() && value != "0")
            return {"network",
                    "warning",
                    fmt::format("{} is set: nothing is fetched", name),
                    fmt::format("unset {} to fetch models", name)};
    }
    for (const char* name : {"HTTPS_PROXY", "https_proxy"})
        if (!environment(name).empty())
            return {"network", "ok", fmt::format("through the proxy in {}", name), ""};
    return {"network", "ok", "direct; no offline variable is set", ""};
}

/// Where a token would come from. Its text is never read.
Check token() {
    if (!environment("HF_TOKEN").empty())
        return {"token", "ok", "from HF_TOKEN", ""};
    std::string named = environment("HF_TOKEN_PATH");
    fs::path file = named.empty() ? hugging_face() / "token" : fs::path(named);
    std::error_code error;
    if (fs::is_regular_file(file, error))
        return {"token", "ok", "from " + file.string(), ""};
    return {"token",
            "missing",
            "neither HF_TOKEN nor " + file.string(),
            "only gated models need one: set HF_TOKEN, or `hf auth login`"};
}

}  // namespace

std::vector<Check> examine_surroundings() {
    std::string store = environment("STILLROOM_STORE");
    std::string hub = environment("HF_HUB_CACHE");
    return {
        data(),
        disk(
            "store", store.empty() ? cache_folder() / "store" : fs::path(store), "STILLROOM_STORE"),
        disk("models", hub.empty() ? hugging_face() / "hub" : fs::path(hub), "HF_HUB_CACHE"),
        network(),
        token()};
}

std::vector<Check> examine_machine(const fs::path& root) {
    std::vector<Check> checks = examine_tools(root);
    for (auto part : {examine_hardware(root), examine_surroundings()})
        checks.insert(checks.end(), part.begin(), part.end());
    return checks;
}

}  // namespace stillroom::cli
