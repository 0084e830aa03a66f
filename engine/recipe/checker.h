#pragma once

#include "engine/base/diagnostic.h"
#include "engine/recipe/check.h"
#include "engine/recipe/link.h"
#include "engine/recipe/order.h"
#include "engine/recipe/resolve.h"
#include "engine/recipe/search_path.h"
#include "engine/recipe/settings.h"
#include "engine/recipe/stage_parts.h"
#include "engine/recipe/sub_recipe.h"
#include "engine/schema/catalog.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stillroom {

/// One stage of a scope while it is worked on.
struct Draft {
    std::string name;
    Span where;   ///< its name
    Span first;   ///< where an earlier layer had it
    NodePtr use;  ///< null where it is missing or no text
    const StageType* type = nullptr;
    std::shared_ptr<SubRecipe> sub;
    StageParts parts;
    bool broken = false;    ///< nothing can be said of what it makes
    bool in_cycle = false;  ///< its settings can still be checked
};

struct ScopeResult {
    NodePtr root;
    std::vector<CheckedStage> stages;
    std::vector<Output> outputs;
};

/// The work of `check`: one object for a recipe and all that it uses as stages. check_scope.cpp
/// holds what a scope is, check_stage.cpp one stage of it, check_sub_recipe.cpp stages that are
/// recipes and what passes in and out of one.
class Checker {
public:
    Checker(Sources& sources,
            const Catalog& catalog,
            const CheckOptions& options,
            Diagnostics& diagnostics);

    /// The recipe that the user named, with everything in it.
    ScopeResult check_recipe(const Recipe& recipe);

private:
    // A scope.
    /// `given`: what the consuming stage feeds into the inputs; null for the recipe that the user
    /// named.
    ScopeResult check_scope(const Recipe& recipe, const std::string& prefix, const Offers* given);
    /// Recipes inside recipes multiply: each of 30 that uses the next one twice makes 2^30 stages.
    bool is_over_budget(std::size_t more);
    /// Stages are known before any `${...}` is: what stands for one would go unseen.
    void refuse_unwritten(const Node& value, const std::string& what);
    Draft begin_draft(const Entry& entry);
    NodePtr resolve_values(const Recipe& recipe, const NodePtr& root);
    /// The defaults of the schemas enter the tree, so that `${stages.X.steps}` reads one that
    /// nobody wrote.
    NodePtr fill_defaults(const NodePtr& root, std::vector<Draft>& drafts);
    void take_values(std::vector<Draft>& drafts, const Node& stages);
    static bool is_reference_key(const Draft& draft, const std::string& key);
    std::vector<std::size_t> visiting_order(std::vector<Draft>& drafts, Offers& offers);
    static void add_references(const Node& ports, StageReferences& needs);
    static void add_reference(const NodePtr& value, StageReferences& needs);

    // One stage.
    void check_draft(Draft& draft, const std::string& prefix, Offers& offers, ScopeResult& result);
    StageKey key_of(const Draft& draft) const;
    static bool is_left_out(const Draft& draft);
    std::vector<std::string> link_after(const Draft& draft, const Offers& offers);
    void check_stage(Draft& draft,
                     const std::string& prefix,
                     const Offers& offers,
                     Offer& offer,
                     ScopeResult& result);
    /// Feeds for every port that has a value, loaders for outside things, fillers for what is
    /// absent.
    void link_ports(const Draft& draft,
                    const Offers& offers,
                    CheckedStage& stage,
                    std::vector<CheckedStage>& inserted);
    /// What has a '/' and is no path: another scheme, or a stage inside a sub-recipe.
    bool refuse_outside(const Draft& draft, const PortDeclaration& port, const Node& value);
    Want want_of(const std::string& stage, const PortDeclaration& port, Span declared) const;
    void load(CheckedStage& stage,
              const PortDeclaration& port,
              const NodePtr& source,
              const std::string& suffix,
              Input& input,
              std::vector<CheckedStage>& inserted);
    void fill(CheckedStage& stage,
              const PortDeclaration& port,
              std::vector<CheckedStage>& inserted);
    void refuse_port(const Draft& draft, const PortDeclaration& port);
    void refuse_missing(Span where, const std::string& path);

    // Stages that are recipes.
    /// The file that `use` names, fetched if it lies elsewhere. Nothing, with a mistake, where none
    /// may be used.
    std::optional<std::filesystem::path> sub_recipe_file(const Draft& draft);
    bool open_sub_recipe(Draft& draft);
    void refuse_type(const Draft& draft);
    void check_sub(Draft& draft,
                   const std::string& prefix,
                   const Offers& offers,
                   Offer& offer,
                   ScopeResult& result);
    void refuse_recursion(const Draft& draft, std::size_t start);
    static std::string input_type(const Node& input);
    void refuse_absent_inputs(const Draft& draft, const Offers& inputs);
    void refuse_absent_params(const Draft& draft, const Node& recipe);
    std::optional<Feed> load_input(const std::string& name,
                                   const Want& want,
                                   const NodePtr& source,
                                   std::vector<CheckedStage>& stages);
    /// Of a loader that makes another type which the port accepts (a model for a tokenizer), that
    /// one.
    std::string loaded_output(const CheckedStage& loader, const std::string& type) const;
    /// Inputs are names like stages: fed by the consuming stage, or by what `inputs` itself says.
    Offers offer_inputs(const Node& root,
                        const std::string& prefix,
                        const Offers* given,
                        std::vector<CheckedStage>& stages);
    void refuse_input(const Entry& entry, const std::string& type);
    std::vector<Output> link_outputs(const Node& root, const Offers& offers);

    Sources& sources_;
    const Catalog& catalog_;
    const CheckOptions& options_;
    Diagnostics& diagnostics_;
    SearchPath search_;
    ResolveOptions resolving_;
    std::map<std::filesystem::path, std::shared_ptr<SubRecipe>> sub_recipes_;
    std::vector<std::pair<std::filesystem::path, Span>>
        stack_;                             // recipes that are open, and the `use` that opened each
    std::vector<std::string> outer_after_;  // what every stage of this scope waits for
    std::string scope_;                     // "first/", as full names begin
    std::size_t stages_ = 0;                // in all scopes so far
    std::map<std::string, std::vector<std::string>>
        made_by_;  // full name -> the stages that it stands for
};

}  // namespace stillroom
