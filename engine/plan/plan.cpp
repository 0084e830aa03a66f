#include "engine/plan/plan.h"

#include "engine/base/codes.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/plan/outside.h"
#include "engine/plan/reason.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr const char* kUnread = "source not hashed yet";

struct EdgeRange {
    std::vector<Edge>::const_iterator first, last;
    auto begin() const { return first; }
    auto end() const { return last; }
};

/// The edges into a stage: they stand in the order of the stages they lead to.
EdgeRange edges_into(const Graph& graph, std::size_t stage) {
    auto first = std::lower_bound(
        graph.edges.begin(), graph.edges.end(), stage, [](const Edge& edge, std::size_t to) {
            return edge.to < to;
        });
    auto last =
        std::find_if(first, graph.edges.end(), [&](const Edge& edge) { return edge.to != stage; });
    return {first, last};
}

bool is_below(const fs::path& path, const fs::path& folder) {
    fs::path relative = path.lexically_relative(folder);
    return !relative.empty() && *relative.begin() != "..";
}

/// "'main' of hf:ORG/NAME" where a setting names a repository by a branch or tag, which moves.
std::string moving_revision(const Node& settings) {
    constexpr std::string_view kHexDigits = "0123456789abcdef";
    for (const Entry& entry : settings.entries) {
        std::string_view text = entry.value->text;
        if (entry.value->kind != Kind::string || !text.starts_with("hf:"))
            continue;
        std::size_t at = text.find('@');
        std::string_view revision = at == text.npos ? "main" : text.substr(at + 1);
        bool is_commit =
            revision.size() == 40 && revision.find_first_not_of(kHexDigits) == revision.npos;
        if (!is_commit)
            return fmt::format(
                "'{}' of {}", escape_controls(revision), escape_controls(text.substr(0, at)));
    }
    return {};
}

/// What the store remembers of a stage that names its own sources, held against the files.
struct Remembered {
    std::optional<Binding> binding;
    std::string changed;  ///< a file that is another one now; empty: none
    std::vector<fs::path> unread;
    std::map<std::string, std::string> known;  ///< absolute path -> digest

    bool counts() const { return binding && changed.empty() && unread.empty(); }
};

/// State, key and reason of one stage, in the order in which things become known.
class StagePlanner {
public:
    StagePlanner(const Plan& plan,
                 std::size_t index,
                 const Store& store,
                 const PlanOptions& options,
                 Diagnostics& diagnostics)
        : plan_(plan),
          stage_(plan.graph.stages[index]),
          index_(index),
          store_(store),
          options_(options),
          diagnostics_(diagnostics) {}

    PlannedStage make() {
        paths_ = outside_paths(stage_);
        for (const OutsidePath& path : written_paths(stage_))
            out_.written.emplace_back(path.text);
        std::string waits = take_inputs();
        if (look_for_sources(waits)) {
            if (waits.empty())
                find_key();
            else
                block("after " + waits);
        }
        return std::move(out_);
    }

private:
    void block(std::string reason, Span cause = {}) {
        out_.state = StageState::blocked;
        out_.reason = std::move(reason);
        out_.cause = cause;
    }

    /// The first stage whose output is not known yet; empty: all are.
    std::string take_inputs() {
        std::string waits;
        for (const Edge& edge : edges_into(plan_.graph, index_)) {
            if (edge.port.empty())
                continue;
            const PlannedStage& before = plan_.stages[edge.from];
            auto output = before.outputs.find(edge.output);
            if (before.state == StageState::cached && output != before.outputs.end())
                out_.parts.inputs[edge.port].push_back(output->second);
            else if (waits.empty())
                waits = plan_.graph.stages[edge.from].name;
        }
        return waits;
    }

    /// An earlier stage that has still to write what this one reads.
    std::string writer_of(const fs::path& path) const {
        for (std::size_t i = 0; i < index_; ++i)
            if (plan_.stages[i].state != StageState::cached)
                for (const fs::path& folder : plan_.stages[i].written)
                    if (is_below(path, folder) || is_below(folder, path))
                        return plan_.graph.stages[i].name;
        return "";
    }

    /// False, with the mistake reported, where something outside is not there.
    bool look_for_sources(std::string& waits) {
        bool all = true;
        for (const OutsidePath& path : paths_) {
            if (!path.local)
                continue;
            fs::path whole = fs::absolute(path.text).lexically_normal();
            std::string writer = writer_of(whole);
            if (!writer.empty() && waits.empty())
                waits = writer;
            if (writer.empty() && !is_there(whole)) {
                refuse_source(path, fmt::format("there is no file or folder '{}'", path.text));
                all = false;
            }
        }
        return all;
    }

    void refuse_source(const OutsidePath& path, const std::string& message) {
        diagnostics_.error(code::kNoSource, path.where, message)
            .at_key(fmt::format("stages.{}.{}", stage_.name, path.setting))
            .with_hint(near_path(path.text))
            .exits(kExitBadInput);
        block(message, path.where);
    }

    /// "did you mean './model'?": of what lies beside a path that is not there.
    static std::string near_path(const fs::path& path) {
        fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
        if (is_there(path) || path.filename().empty())
            return {};
        std::vector<std::string> names;
        for (const std::string& name : list_folder(folder))
            names.push_back((path.parent_path() / name).string());
        std::string hint = did_you_mean(path.string(), names);
        return hint.empty() ? hub_name(path) : hint;
    }

    /// Who writes ORG/NAME and means the Hub.
    static std::string hub_name(const fs::path& path) {
        bool is_name = path.is_relative() && std::distance(path.begin(), path.end()) == 2 &&
                       path.begin()->string().front() != '.' && !is_there(path.parent_path());
        return is_name ? fmt::format("the model of that name on the Hub is hf:{}", path.string())
                       : "";
    }

    OutsideOptions reading(const Remembered& remembered) const {
        return {options_.verify, options_.hash_at_most, options_.threads, &remembered.known};
    }

    void compare_file(const fs::path& file, const FileRecord& record, Remembered& remembered) {
        try {
            if (options_.verify == Verify::sizes && stamp_of(file) == record.stamp) {
                remembered.known[file.string()] = record.digest;
                return;
            }
            std::optional<FileRecord> now =
                store_.outside_file(file, options_.verify, options_.hash_at_most, options_.threads);
            if (!now)
                remembered.unread.push_back(file);
            else if (now->digest != record.digest && remembered.changed.empty())
                remembered.changed = file.string();
        } catch (const Error&) {
            if (remembered.changed.empty())
                remembered.changed = file.string();
        }
    }

    Remembered remember() {
        Remembered out;
        out.binding = store_.find_binding(out_.binding_id);
        if (!out.binding)
            return out;
        for (const auto& [name, folder] : out.binding->outputs)
            for (const FileRecord& file : folder.files)
                compare_file(folder.path / file.path, file, out);
        for (const FileRecord& file : out.binding->reads)
            compare_file(file.path, file, out);
        return out;
    }

    /// Digests of the paths that the engine can read itself. False where one is not known.
    bool take_outside(const Remembered& remembered) {
        for (const OutsidePath& path : paths_) {
            if (!path.local)
                continue;
            Outside found = look_outside(path.text, store_, reading(remembered));
            if (!found.missing.empty()) {
                refuse_source(path, found.missing);
                return false;
            }
            if (found.digest.empty()) {
                out_.unread.insert(out_.unread.end(), found.unread.begin(), found.unread.end());
                block(kUnread, path.where);
            } else {
                out_.parts.outside[path.setting] = found.digest;
            }
        }
        return out_.unread.empty();
    }

    bool is_never_cached() const {
        NodePtr cache = stage_.engine ? stage_.engine->get("cache") : nullptr;
        return cache && cache->kind == Kind::boolean && !boolean_value(*cache);
    }

    void find_key() {
        bool never_cached = is_never_cached();
        if (never_cached)
            out_.parts.nonce = options_.nonce;
        out_.record = key_record(stage_, out_.parts);
        out_.binding_id = binding_id_of(stage_, out_.record);
        Remembered remembered = remember();
        if (!take_outside(remembered))
            return;
        if (remembered.binding && !remembered.unread.empty()) {
            out_.unread = remembered.unread;
            block(kUnread, stage_.where);
            return;
        }
        if (!out_.parts.outside.empty())
            out_.record = key_record(stage_, out_.parts);
        out_.key = key_without_reads_ = key_of(out_.record);
        if (remembered.counts() && !remembered.binding->reads.empty()) {
            add_reads(out_.parts, remembered.binding->reads);
            out_.record = key_record(stage_, out_.parts);
            out_.key = key_of(out_.record);
        }
        if (never_cached && options_.nonce.empty())
            out_.key.clear();  // each run has its own
        decide(remembered, never_cached);
    }

    void decide(const Remembered& remembered, bool never_cached) {
        out_.state = StageState::run;
        if (options_.force.contains(stage_.name) && !options_.fresh.contains(out_.key)) {
            out_.reason = "forced";
            std::error_code ignored;
            out_.replace = !out_.key.empty() && fs::exists(store_.entry(out_.key), ignored);
            return;
        }
        if (never_cached && options_.nonce.empty()) {
            out_.reason = "cache: false";
            out_.cause = field_place_of_cache();
            return;
        }
        if (take_sources(remembered) || take_entry()) {
            if (std::string moving = moving_revision(*stage_.settings); !moving.empty())
                out_.reason +=
                    fmt::format("; {} as it was then, --force {} asks again", moving, stage_.name);
            return;
        }
        if (never_cached) {
            out_.reason = "cache: false";
            out_.cause = field_place_of_cache();
        } else if (out_.reason.empty()) {
            out_.reason = remembered.changed.empty()
                              ? "not in the store"
                              : fmt::format("'{}' has changed", remembered.changed);
            if (options_.explain && remembered.changed.empty())
                explain_miss(stage_, store_, out_);
        }
    }

    Span field_place_of_cache() const {
        NodePtr cache = stage_.engine->get("cache");
        return cache->origin == Origin::schema_default ? Span{} : cache->where;
    }

    /// A stage all of whose outputs are folders outside.
    bool take_sources(const Remembered& remembered) {
        if (!remembered.counts() || remembered.binding->outputs.empty())
            return false;
        const Binding& binding = *remembered.binding;
        bool is_other =
            !binding.key.empty() && binding.key != out_.key && binding.key != key_without_reads_;
        if (is_other) {
            out_.reason = "the source has changed";
            return false;
        }
        for (const auto& [name, folder] : binding.outputs) {
            out_.outputs[name] = folder.digest;
            out_.paths[name] = folder.path;
        }
        bool all =
            std::all_of(stage_.type->outputs.begin(),
                        stage_.type->outputs.end(),
                        [&](const OutputDeclaration& output) {
                            return out_.outputs.contains(output.name) || !output.only_with.empty();
                        });
        if (!all && !take_entry()) {
            out_.outputs.clear();
            out_.paths.clear();
            return false;
        }
        out_.state = StageState::cached;
        out_.reason = "source unchanged";
        return true;
    }

    bool take_entry() {
        std::vector<Damage> damage;
        std::optional<Manifest> entry = store_.find(out_.key, options_.verify, damage);
        if (!entry) {
            if (!damage.empty())
                out_.reason = damage.front().what;
            out_.damaged = !damage.empty() && !damage.front().outside;
            out_.replace = !damage.empty();
            return false;
        }
        for (const fs::path& path : out_.written)
            if (!entry->written.contains(path.string())) {
                out_.reason = fmt::format("'{}' is not written yet", path.string());
                out_.replace = true;
                return false;
            }
        out_.state = StageState::cached;
        out_.machine = entry->machine;
        out_.failed = entry->failed;
        out_.reason =
            out_.failed.empty() ? "in the store" : fmt::format("its gate failed: {}", out_.failed);
        for (const StoredOutput& output : entry->outputs) {
            out_.outputs[output.name] = output.digest;
            out_.paths[output.name] = store_.output(out_.key, output.name);
            if (!output.links.empty())
                out_.linked.insert(output.name);
        }
        return true;
    }

    const Plan& plan_;
    const CheckedStage& stage_;
    std::size_t index_;
    const Store& store_;
    const PlanOptions& options_;
    Diagnostics& diagnostics_;
    std::vector<OutsidePath> paths_;
    std::string key_without_reads_;
    PlannedStage out_;
};

}  // namespace

PlannedStage plan_stage(const Plan& plan,
                        std::size_t stage,
                        const Store& store,
                        const PlanOptions& options,
                        Diagnostics& diagnostics) {
    return StagePlanner(plan, stage, store, options, diagnostics).make();
}

Plan make_plan(Graph graph,
               const Store& store,
               const PlanOptions& options,
               Diagnostics& diagnostics) {
    constexpr int kMostExplained = 50;  // each may read manifests of the store
    Plan plan;
    plan.graph = std::move(graph);
    PlanOptions each = options;
    int explained = 0;
    for (std::size_t i = 0; i < plan.graph.stages.size(); ++i) {
        plan.stages.push_back(plan_stage(plan, i, store, each, diagnostics));
        explained += plan.stages.back().state == StageState::run;
        each.explain = options.explain && explained < kMostExplained;
    }
    return plan;
}

}  // namespace stillroom
