#include "plugins/lm/train/state_folder.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "plugins/lm/train/state_tensors.h"
#include "plugins/lm/weights/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostManifest = std::size_t{64} << 20;
constexpr std::size_t kMostState = std::size_t{16} << 20;
constexpr std::size_t kMostLatest = 1000;
constexpr std::int64_t kFormat = 1;

Error damage(const std::string& why) {
    return Error({}, why).exit_code(kExitIntegrity);
}

std::string manifest_json(const StateManifest& manifest, const std::string& digest) {
    JsonWriter json(2);
    json.begin_object();
    json.key("format");
    json.integer(kFormat);
    json.key("stage");
    json.string(manifest.stage);
    json.key("build");
    json.string(manifest.build);
    json.key("layout");
    json.begin_object();
    for (const auto& [name, count] : manifest.layout) {
        json.key(name);
        json.integer(count);
    }
    json.end_object();
    json.key("files");
    json.begin_array();
    for (const FileRecord& file : manifest.files) {
        json.begin_object();
        json.key("path");
        json.string(file.path);
        json.key("size");
        json.integer(static_cast<std::int64_t>(file.size));
        json.key("digest");
        json.string(file.digest);
        json.end_object();
    }
    json.end_array();
    json.key("digest");  // of this text, with an empty one here
    json.string(digest);
    json.end_object();
    return json.take() + "\n";
}

/// One that we wrote, to the last byte.
StateManifest parse_manifest(const std::string& text) {
    Json json = Json::parse(text, kMostManifest);
    if (json.at("format").integer() != kFormat)
        throw damage(fmt::format(
            "{} has format {}, not {}", kManifest, json.at("format").integer(), kFormat));
    StateManifest manifest{json.at("stage").string(), json.at("build").string(), {}, {}};
    for (const Json::Member& member : json.at("layout").map())
        manifest.layout[member.key] = member.value.integer();
    std::set<std::string> names;
    for (const Json& file : json.at("files").list()) {
        FileRecord record;
        record.path = file.at("path").string();
        record.size = static_cast<std::uint64_t>(file.at("size").integer());
        record.digest = file.at("digest").string();
        if (record.path.empty() || record.path.front() == '.' ||
            record.path.find('/') != std::string::npos || !names.insert(record.path).second)
            throw damage(fmt::format("{} names '{}'", kManifest, shown(record.path)));
        manifest.files.push_back(std::move(record));
    }
    if (!names.contains(kState))
        throw damage(fmt::format("{} does not name {}", kManifest, kState));
    if (manifest_text(manifest) != text)
        throw damage(fmt::format("{} is not as it was written", kManifest));
    return manifest;
}

void require_regular(const fs::path& path) {
    std::error_code error;
    fs::file_status status = fs::symlink_status(path, error);
    if (status.type() == fs::file_type::not_found)
        throw damage(fmt::format("{} is missing", path.filename().string()));
    if (status.type() != fs::file_type::regular)
        throw damage(fmt::format("{} is no regular file", path.filename().string()));
}

void check_files(const fs::path& folder, const StateManifest& manifest, unsigned threads) {
    std::vector<fs::path> paths;
    for (const FileRecord& file : manifest.files) {
        fs::path path = folder / file.path;
        require_regular(path);
        if (std::uint64_t size = fs::file_size(path); size != file.size)
            throw damage(fmt::format("{} has {} bytes, of {}", shown(file.path), size, file.size));
        paths.push_back(path);
    }
    std::vector<FileRecord> found = digest_files(paths, threads);
    for (std::size_t i = 0; i < found.size(); ++i)
        if (found[i].digest != manifest.files[i].digest)
            throw damage(fmt::format("{} is not what was written (other digest)",
                                     shown(manifest.files[i].path)));
}

/// Throws for whatever is wrong with it.
FoundState look_into(const fs::path& folder, std::int64_t step, const FindState& how) {
    if (fs::symlink_status(folder).type() != fs::file_type::directory)
        throw damage("it is no folder");
    require_regular(folder / kManifest);
    FoundState found{folder, {}, parse_manifest(read_file(folder / kManifest, kMostManifest)), {}};
    check_files(folder, found.manifest, how.threads);
    found.point = parse_point(read_file(folder / kState, kMostState));
    if (found.point.step != step)
        throw damage(fmt::format("{} is of step {}", kState, found.point.step));
    StateTensors::open(folder);
    if (how.check)
        how.check(found);
    return found;
}

/// What is wrong with `latest`, which a kill never leaves behind; empty: nothing.
std::string trouble_with_latest(const fs::path& work) {
    fs::path path = work / kLatest;
    std::error_code error;
    fs::file_type type = fs::symlink_status(path, error).type();
    if (type == fs::file_type::not_found)
        return {};
    if (type != fs::file_type::regular)
        return fmt::format("{} is no regular file", path.string());
    std::string text;
    try {
        text = read_file(path, kMostLatest);
    } catch (const Error& problem) {
        return problem.what();
    }
    std::string name = text.substr(0, text.find('\n'));
    if (!step_of(name))
        return fmt::format("{} says '{}', no state's name", path.string(), shown(name));
    if (!fs::exists(fs::symlink_status(work / kCheckpoints / name, error)))
        return fmt::format("{} names {}, which is not there", path.string(), name);
    return {};
}

std::vector<std::int64_t> steps_newest_first(const fs::path& folder) {
    std::vector<std::int64_t> steps;
    for (const std::string& name : list_folder(folder))
        if (std::optional<std::int64_t> step = step_of(name))
            steps.push_back(*step);
    std::sort(steps.rbegin(), steps.rend());
    return steps;
}

[[noreturn]] void refuse_damaged(const std::vector<std::string>& passed_over,
                                 const std::optional<FoundState>& found) {
    Error error = damage(passed_over.front());
    for (std::size_t i = 1; i < passed_over.size(); ++i)
        error.note({}, passed_over[i]);
    error.hint(found ? fmt::format("without --strict it goes on from step {}", found->point.step)
                     : "no whole state is left; remove the stage's work folder to begin anew");
    throw error;
}

}  // namespace

std::string step_name(std::int64_t step) {
    return fmt::format("step-{:08}", step);
}

std::optional<std::int64_t> step_of(const std::string& name) {
    constexpr std::string_view kBegin = "step-";
    constexpr std::size_t kMostDigits = 18;
    if (!name.starts_with(kBegin) || name.size() == kBegin.size() ||
        name.size() > kBegin.size() + kMostDigits)
        return {};
    std::int64_t step = 0;
    for (char c : name.substr(kBegin.size())) {
        if (c < '0' || c > '9')
            return {};
        step = step * 10 + (c - '0');
    }
    return step_name(step) == name ? std::optional(step) : std::nullopt;
}

std::string manifest_text(const StateManifest& manifest) {
    return manifest_json(manifest, digest_of(manifest_json(manifest, "")));
}

std::optional<FoundState> find_state(const fs::path& work, const FindState& how) {
    std::vector<std::string> passed_over;
    if (std::string trouble = trouble_with_latest(work); !trouble.empty())
        passed_over.push_back(trouble);
    std::optional<FoundState> found;
    for (std::int64_t step : steps_newest_first(work / kCheckpoints)) {
        fs::path folder = work / kCheckpoints / step_name(step);
        try {
            found = look_into(folder, step, how);
            break;
        } catch (const std::exception& problem) {
            passed_over.push_back(fmt::format("{}: {}", folder.string(), problem.what()));
        }
    }
    if (!passed_over.empty() && (how.strict || !found))
        refuse_damaged(passed_over, found);
    if (found)
        found->passed_over = std::move(passed_over);
    return found;
}

StatePart open_state(const fs::path& work, std::int64_t step) {
    StatePart part;
    part.folder = work / kCheckpoints / step_name(step);
    part.point = parse_point(read_file(part.folder / kState, kMostState));
    return part;
}

}  // namespace stillroom::lm
