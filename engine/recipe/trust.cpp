#include "engine/recipe/trust.h"

#include "engine/base/codes.h"
#include "engine/base/refusal.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/recipe/search_path.h"
#include "engine/recipe/site.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostHashed = std::size_t{256} << 20;

/// Adds the path if it is there, under its canonical name, once.
bool add(std::vector<TrustedPath>& paths, const fs::path& path, std::string_view from) {
    std::error_code error;
    fs::path real = fs::canonical(path, error);
    refuse_no_memory(error);
    if (error)
        return false;
    if (std::none_of(paths.begin(), paths.end(), [&](const auto& one) { return one.path == real; }))
        paths.push_back({real, std::string(from)});
    return true;
}

/// Where the plugins of this program lie. The build tree is known by its form, and only right above
/// the program: a folder further up may be anybody's.
void add_own(std::vector<TrustedPath>& paths, const fs::path& program) {
    fs::path folder = program.parent_path();
    add(paths, folder / kPluginFolder, "the installed folder");
    fs::path build = folder.parent_path();
    std::error_code error;
    if (folder.filename() != "engine" || !fs::is_directory(build / "meson-private", error))
        return;
    for (const std::string& name : list_folder(build / "plugins"))
        if (fs::is_directory(build / "plugins" / name, error))
            add(paths, build / "plugins" / name, "the build tree");
}

void add_common(std::vector<TrustedPath>& paths,
                const Configuration& configuration,
                const std::vector<TrustFlag>& flags,
                Diagnostics& diagnostics) {
    for (const fs::path& path : configuration.trust)
        add(paths, path, "the site's configuration");
    for (const TrustFlag& flag : flags) {
        if (add(paths, flag.path, "--trust"))
            continue;
        std::vector<std::string> beside;
        fs::path folder = flag.path.parent_path();
        for (const std::string& name : list_folder(folder.empty() ? "." : folder))
            beside.push_back((folder / name).string());
        diagnostics
            .error(code::kCannotRead,
                   flag.where,
                   fmt::format("there is no '{}' to trust", flag.path.string()))
            .with_hint(did_you_mean(flag.path.string(), beside));
    }
}

bool writable_by_all(const fs::path& file) {
    std::error_code error;
    fs::perms perms = fs::status(file, error).permissions();
    return !error && (perms & fs::perms::others_write) != fs::perms::none;
}

}  // namespace

std::vector<TrustedPath> plugin_folders(const Configuration& configuration,
                                        const std::vector<TrustFlag>& flags,
                                        Diagnostics& diagnostics,
                                        const fs::path& program) {
    std::vector<TrustedPath> paths;
    add_own(paths, program);
    for (const std::string& folder : split(environment("STILLROOM_PLUGIN_PATH"), ':'))
        if (!folder.empty())
            add(paths, folder, "STILLROOM_PLUGIN_PATH");
    add_common(paths, configuration, flags, diagnostics);
    return paths;
}

std::vector<TrustedPath> launch_folders(const Configuration& configuration,
                                        const std::vector<TrustFlag>& flags,
                                        Diagnostics& diagnostics) {
    std::vector<TrustedPath> paths;
    if (fs::path data = data_folder(); !data.empty())
        add(paths, data / "recipes", "the library");
    add(paths, configuration_files().site.parent_path(), "the site's configuration");
    add(paths, configuration_files().user.parent_path(), "the user's configuration");
    add_common(paths, configuration, flags, diagnostics);
    return paths;
}

std::string fingerprint(const fs::path& file) {
    std::error_code error;
    fs::path real = fs::canonical(file, error);
    std::string name = escape_controls((error ? file : real).string());
    try {
        return fmt::format("{} (sha256 {})", name, sha256_hex(read_file(file, kMostHashed)));
    } catch (const Error&) {
        return name;  // whoever opens it says why not
    }
}

std::optional<Distrust> find_distrust(std::string_view what,
                                      const fs::path& file,
                                      const std::vector<TrustedPath>& trusted) {
    std::error_code error;
    fs::path real = fs::canonical(file, error);
    refuse_no_memory(error);
    if (!error && writable_by_all(real))
        return Distrust{fmt::format("{} {} may be written by everybody", what, fingerprint(file)),
                        fmt::format("chmod o-w {}, once you know what is in it",
                                    escape_controls(real.string()))};
    bool counts = !error && std::any_of(trusted.begin(), trusted.end(), [&](const auto& one) {
        return is_inside(real, one.path);
    });
    if (counts)
        return std::nullopt;
    return Distrust{
        fmt::format("{} {} is not trusted", what, fingerprint(file)),
        fmt::format("--trust {}, if you do", escape_controls((error ? file : real).string()))};
}

}  // namespace stillroom
