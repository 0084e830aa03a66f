#include "engine/recipe/sweep.h"

#include "engine/base/codes.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/recipe/sweep_block.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace stillroom {
namespace {

/// One factor of the product: its rows, each with what it sets. What is fixed has one row.
struct Dimension {
    std::vector<std::vector<Override>> rows;
    bool swept = false;
};

bool replaces(const Override& override) {
    bool kind = override.kind == OverrideKind::change || override.kind == OverrideKind::force_add ||
                override.kind == OverrideKind::replace;
    bool whole = override.kind == OverrideKind::replace || override.sweep || !override.value ||
                 !override.value->is_map();
    return kind && whole;
}

bool same_key(const Override& a, const Override& b) {
    return a.key == b.key && a.package == b.package;
}

/// True if what it sets is set anew by a later one.
bool superseded(const std::vector<Override>& all, std::size_t index) {
    const Override& own = all[index];
    if (own.kind != OverrideKind::change && own.kind != OverrideKind::force_add)
        return false;
    return std::any_of(all.begin() + static_cast<std::ptrdiff_t>(index) + 1,
                       all.end(),
                       [&](const Override& later) {
                           return later.rows.empty() && same_key(own, later) && replaces(later);
                       });
}

Override with_value(const Override& sweep, NodePtr value) {
    Override out = sweep;
    out.sweep.reset();
    out.rows.clear();
    out.value = std::move(value);
    out.text = spell_key(out) + spell_value(*out.value);
    return out;
}

class Expansion {
public:
    Expansion(const SweepRequest& request, Diagnostics& diagnostics)
        : request_(request),
          diagnostics_(diagnostics) {}

    std::vector<SweepJob> run() {
        std::size_t before = diagnostics_.errors();
        SweepBlock block;
        if (request_.block)
            block = read_sweep_block(*request_.block, diagnostics_);
        bool only_included = block.factors.empty() && !block.include.empty();
        drop_overridden(block);
        only_included = only_included && !block.include.empty();
        for (SweepFactor& factor : block.factors)
            dimensions_.push_back({std::move(factor.rows), true});
        std::size_t own = dimensions_.size();
        for (std::size_t i = 0; i < request_.overrides.size(); ++i)
            add_argument(i);
        if (diagnostics_.errors() != before)
            return {};
        count_jobs(own, block);
        if (diagnostics_.errors() != before)
            return {};

        if (!only_included)
            expand(0, dimensions_.size(), {}, block.exclude);
        for (std::vector<Override>& row : block.include) {
            std::vector<Dimension> rest(dimensions_.begin() + static_cast<std::ptrdiff_t>(own),
                                        dimensions_.end());
            rest.insert(rest.begin(), Dimension{{std::move(row)}, true});
            dimensions_.swap(rest);
            expand(0, dimensions_.size(), {}, {});
            dimensions_.swap(rest);
        }
        if (jobs_.empty())
            diagnostics_
                .error(code::kNoJobs,
                       request_.block ? request_.block->where : Span{},
                       "the sweep has no job: every one is excluded")
                .with_hint("take an entry of 'exclude' out");
        report_equal();
        return std::move(jobs_);
    }

private:
    /// A key of the command line takes the place of a dimension of the block.
    void drop_overridden(SweepBlock& block) {
        auto overridden = [&](const Override& own) {
            return std::any_of(
                request_.overrides.begin(),
                request_.overrides.end(),
                [&](const Override& argument) {
                    if (same_key(own, argument) && argument.rows.empty())
                        return true;
                    return !argument.rows.empty() &&
                           std::any_of(argument.rows[0].begin(),
                                       argument.rows[0].end(),
                                       [&](const Override& cell) { return same_key(own, cell); });
                });
        };
        for (SweepFactor& factor : block.factors)
            for (std::vector<Override>& row : factor.rows)
                std::erase_if(row, overridden);
        std::erase_if(block.factors,
                      [](const SweepFactor& factor) { return factor.rows.front().empty(); });
        for (std::vector<Override>& row : block.include)
            std::erase_if(row, overridden);
        std::erase_if(block.include, [](const std::vector<Override>& row) { return row.empty(); });
    }

    void add_argument(std::size_t index) {
        const Override& override = request_.overrides[index];
        if (!override.swept()) {
            dimensions_.push_back({{{override}}, false});
            return;
        }
        if (!request_.multirun) {
            diagnostics_.add(sweep_needs_multirun(override));
            return;
        }
        if (superseded(request_.overrides, index))
            return;
        Dimension dimension;
        dimension.swept = true;
        if (!override.rows.empty())
            dimension.rows = override.rows;
        else
            for (NodePtr& value : values_of(override))
                dimension.rows.push_back({with_value(override, std::move(value))});
        if (!dimension.rows.empty())
            dimensions_.push_back(std::move(dimension));
    }

    std::vector<NodePtr> values_of(const Override& override) {
        const Sweep& sweep = *override.sweep;
        if (sweep.form == Sweep::Form::interval) {
            diagnostics_
                .error(code::kSweepInterval,
                       sweep.where,
                       fmt::format("'{}' is an interval, and a sweep needs single values",
                                   override.key))
                .with_hint("write range(..) or logrange(..)");
            return {};
        }
        return sweep.form == Sweep::Form::glob ? options_of(override) : sweep.values;
    }

    std::vector<NodePtr> options_of(const Override& override) {
        const Sweep& sweep = *override.sweep;
        auto options = request_.options ? request_.options(override.key) : std::nullopt;
        if (!options) {
            diagnostics_
                .error(
                    code::kSweepGlob,
                    sweep.where,
                    fmt::format("glob chooses options of a group, and '{}' is none", override.key))
                .with_hint("write the values: choice(..)");
            return {};
        }
        auto any = [](const std::vector<std::string>& patterns, const std::string& name) {
            return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
                return glob_matches(pattern, name);
            });
        };
        std::vector<NodePtr> values;
        for (const std::string& option : *options) {
            if (!any(sweep.include, option) || any(sweep.exclude, option))
                continue;
            auto value = make_string(option, sweep.where);
            value->style = Style::plain;
            value->origin = Origin::argument;
            values.push_back(std::move(value));
        }
        if (values.empty())
            diagnostics_
                .error(code::kSweepGlob,
                       sweep.where,
                       fmt::format("no option of '{}' matches", override.key))
                .with_hint(options->empty() ? "the group has no options"
                                            : fmt::format("its options are {}", join(*options)));
        return values;
    }

    void count_jobs(std::size_t own, const SweepBlock& block) {
        std::size_t count = 1, included = block.include.size();
        for (std::size_t i = 0; i < dimensions_.size(); ++i) {
            count = std::min(count * dimensions_[i].rows.size(), request_.most_jobs + 1);
            if (i >= own)
                included = std::min(included * dimensions_[i].rows.size(), request_.most_jobs + 1);
        }
        if (count + included <= request_.most_jobs)
            return;
        diagnostics_.error(code::kTooManyJobs,
                           request_.block ? request_.block->where : first_sweep(),
                           fmt::format("the sweep has more than {} jobs", request_.most_jobs));
    }

    Span first_sweep() const {
        for (const Override& override : request_.overrides)
            if (override.swept())
                return override.value_where;
        return {};
    }

    /// All rows of the dimensions from `from` on, the last one fastest.
    void expand(std::size_t from,
                std::size_t to,
                const std::vector<std::pair<const Override*, bool>>& chosen,
                const std::vector<std::vector<Override>>& exclude) {
        if (from == to) {
            add_job(chosen, exclude);
            return;
        }
        for (const std::vector<Override>& row : dimensions_[from].rows) {
            auto longer = chosen;
            for (const Override& override : row)
                longer.emplace_back(&override, dimensions_[from].swept);
            expand(from + 1, to, longer, exclude);
        }
    }

    static bool matches(const std::vector<Override>& row, const std::vector<Override>& job) {
        return std::all_of(row.begin(), row.end(), [&](const Override& wanted) {
            auto last = std::find_if(job.rbegin(), job.rend(), [&](const Override& override) {
                return same_key(override, wanted);
            });
            return last != job.rend() && last->value && deep_equal(*last->value, *wanted.value);
        });
    }

    void add_job(const std::vector<std::pair<const Override*, bool>>& chosen,
                 const std::vector<std::vector<Override>>& exclude) {
        SweepJob job;
        for (const auto& [override, swept] : chosen) {
            job.overrides.push_back(*override);
            if (swept)
                job.texts.push_back(override->text);
        }
        for (const std::vector<Override>& row : exclude)
            if (matches(row, job.overrides))
                return;
        job.digest = digest_of(job.overrides);
        job.id = job.digest.substr(0, 12);
        if (auto [known, fresh] = known_.emplace(job.digest, jobs_.size()); !fresh)
            ++equal_;
        else
            jobs_.push_back(std::move(job));
    }

    /// Sorted by key; what one key is given twice keeps its order.
    static std::string digest_of(const std::vector<Override>& overrides) {
        std::vector<std::pair<std::string, std::string>> lines;
        for (std::size_t i = 0; i < overrides.size(); ++i) {
            const Override& override = overrides[i];
            if (superseded(overrides, i))
                continue;
            std::string key = override.key;
            if (override.package)
                key += "@" + *override.package;
            lines.emplace_back(
                key, spell_key(override) + (override.value ? spell_value(*override.value) : ""));
        }
        std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
            return a.first < b.first;
        });
        std::string text;
        for (const auto& [key, line] : lines)
            text += line + '\0';
        return sha256_hex(text);
    }

    void report_equal() {
        if (equal_ == 0)
            return;
        diagnostics_.warning(code::kEqualJobs,
                             request_.block ? request_.block->where : first_sweep(),
                             fmt::format("{} of the sweep {} left out, equal to another",
                                         plural(equal_, "job"),
                                         equal_ == 1 ? "is" : "are"));
    }

    const SweepRequest& request_;
    Diagnostics& diagnostics_;
    std::vector<Dimension> dimensions_;
    std::vector<SweepJob> jobs_;
    std::unordered_map<std::string, std::size_t> known_;
    std::size_t equal_ = 0;
};

/// One character of a pattern against one of the name; `pattern` is moved past it.
bool matches_one(std::string_view& pattern, char c) {
    if (pattern[0] != '[' || pattern.find(']', 2) == std::string_view::npos) {
        bool fits = pattern[0] == '?' || pattern[0] == c;
        pattern.remove_prefix(1);
        return fits;
    }
    bool negated = pattern[1] == '!';
    std::size_t close = pattern.find(']', negated ? 3 : 2);
    if (close == std::string_view::npos)
        close = pattern.find(']', 2);
    std::string_view set = pattern.substr(negated ? 2 : 1, close - (negated ? 2 : 1));
    bool found = false;
    for (std::size_t i = 0; i < set.size(); ++i) {
        if (i + 2 < set.size() && set[i + 1] == '-') {
            found = found || (c >= set[i] && c <= set[i + 2]);
            i += 2;
        } else {
            found = found || c == set[i];
        }
    }
    pattern.remove_prefix(close + 1);
    return found != negated;
}

}  // namespace

std::vector<SweepJob> expand_jobs(const SweepRequest& request, Diagnostics& diagnostics) {
    return Expansion(request, diagnostics).run();
}

bool glob_matches(std::string_view pattern, std::string_view name) {
    // On a mismatch only the last '*' need take one character more.
    std::string_view after_star;
    std::string_view retry;
    bool starred = false;
    while (!name.empty() || !pattern.empty()) {
        if (!pattern.empty() && pattern[0] == '*') {
            pattern.remove_prefix(1);
            after_star = pattern;
            retry = name;
            starred = true;
            continue;
        }
        if (!pattern.empty() && !name.empty() && matches_one(pattern, name[0])) {
            name.remove_prefix(1);
            continue;
        }
        if (!starred || retry.empty())
            return false;
        retry.remove_prefix(1);
        name = retry;
        pattern = after_star;
    }
    return true;
}

}  // namespace stillroom
