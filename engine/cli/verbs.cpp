#include "engine/cli/verbs.h"

#include "engine/cli/run_verbs.h"

#include <algorithm>
#include <limits>

namespace stillroom::cli {
namespace {

constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

constexpr Option kCommon[] = {
    {"--json", 0, "", "print the result as JSON on stdout, one object, also on failure", ""},
    {"--format", 0, "text|json", "how mistakes are written on stderr", "text|json"},
    {"--config-dir", 0, "DIR", "also look for groups and recipes in DIR", "", Names::folder},
    {"--limit",
     0,
     "NAME=N",
     "raise a limit of what is read: depth, nodes, file-bytes, files, total-bytes",
     ""},
    {"--allow-env", 0, "NAME", "let ${oc.env:NAME} read this variable", ""},
    {"--trust", 0, "PATH", "trust the plugin or launch command at PATH", "", Names::file},
    {"--store", 0, "DIR", "the folder of artifacts", "", Names::folder},
    {"--offline", 0, "", "open no connection", ""},
    {"--color", 0, "WHEN", "colour messages: auto, always or never", "auto|always|never"},
    {"--verbose", 'v', "", "say on stderr which files were read and how long it took", ""},
    {"--quiet", 'q', "", "no warnings", ""},
    {"--debug", 0, "", "on a bug of stillroom, print where in the program it happened", ""},
    {"--help", 'h', "", "this help", ""},
    {"--version", 0, "", "the version, and what it was built with", ""},
};

constexpr Option kJobs{"--multirun", 'm', "", "values such as a,b are a sweep: one job each", ""};

constexpr Option kLocked{"--locked", 0, "", "refuse whatever differs from recipe.lock", ""};

constexpr Option kCheck[] = {kJobs, kLocked};
constexpr Option kLock[] = {
    {"--update", 0, "NAME", "take only this item as it is now", ""},
};
constexpr Option kCompose[] = {
    {"--resolve", 0, "", "work out every ${...}", ""},
    {"--origins", 0, "", "beside each value where it came from", ""},
    {"--package", 'p', "PATH", "only what stands at PATH", "", Names::recipe_key},
    kJobs,
};
constexpr Option kExplain[] = {
    {"--defaults", 0, "", "the files that make up the recipe, and those they hide", ""},
};
constexpr Option kGraph[] = {
    {"--format", 0, "text|dot|mermaid", "how the graph is drawn", "text|dot|mermaid"},
};
constexpr Option kSchema[] = {
    {"--resource",
     0,
     "URL=DIR",
     "schemas whose address begins with URL lie in DIR",
     "",
     Names::folder},
};
constexpr Option kFmt[] = {
    {"--check", 0, "", "change nothing; fail if the layout would change", ""},
};
constexpr Option kInit[] = {
    {"--list", 0, "", "the recipes to begin from", ""},
    {"--to", 0, "FILE", "the file to write; NAME.yaml if not given", "", Names::file},
};

// What `run` and `do` take; `resume` takes those that do not choose what is run.
constexpr Option kPlan[] = {
    {"--why", 0, "", "what changed since the newest result of each stage", ""},
    {"--out", 0, "FILE", "also write the plan as JSON", "", Names::file},
    kJobs,
};
constexpr Option kDryRun{"--dry-run", 0, "", "only the plan: what would run, and why", ""};
constexpr Option kRunDir{"--run-dir", 0, "DIR", "the run's folder", "", Names::folder};
constexpr Option kResume{"--resume",
                         0,
                         "auto|never",
                         "whether a run that is in --run-dir already is gone on with",
                         "auto|never"};
constexpr Option kOnly{"--only", 0, "STAGE", "nothing but this stage and what it needs", ""};
constexpr Option kFrom{"--from", 0, "STAGE", "only this stage and what follows it", ""};
constexpr Option kForce{"--force", 0, "STAGE", "run this stage although its result is there", ""};
constexpr Option kKeepGoing{
    "--keep-going", 0, "", "after a failure go on with all that does not need it", ""};
constexpr Option kFailFast{
    "--fail-fast", 0, "", "of a sweep too, begin nothing after a failure", ""};
constexpr Option kVerify{
    "--verify", 0, "", "hash again what is used, instead of trusting sizes", ""};
constexpr Option kOverwrite{
    "--overwrite", 0, "", "let an export replace what is in its folder", ""};
constexpr Option kGrace{
    "--grace", 0, "TIME", "from the first signal until what still runs is killed; 25s", ""};
constexpr Option kLogEvery{
    "--log-every", 0, "TIME", "between progress lines off a terminal; 30s", ""};
constexpr Option kInject{
    "--inject", 0, "FAULT", "STAGE:STEP:FAULT[:RANK], a fault on purpose; with --allow-inject", ""};
constexpr Option kAllowInject{"--allow-inject", 0, "", "take --inject", ""};

constexpr Option kAcceptChanges{
    "--accept-changes", 0, "", "go on although the recipe has changed", ""};

constexpr Option kRun[] = {kDryRun,
                           kJobs,
                           kRunDir,
                           kResume,
                           kAcceptChanges,
                           kOnly,
                           kFrom,
                           kForce,
                           kKeepGoing,
                           kFailFast,
                           kLocked,
                           kVerify,
                           kOverwrite,
                           kGrace,
                           kLogEvery,
                           kInject,
                           kAllowInject};
constexpr Option kResumeRun[] = {
    kAcceptChanges,
    {"--strict", 0, "", "fail where the newest saved state of a stage is damaged", ""},
    kKeepGoing,
    kFailFast,
    kVerify,
    kOverwrite,
    kGrace,
    kLogEvery,
    kInject,
    kAllowInject,
};

constexpr Option kLaunch[] = {
    {"--print", 0, "", "print the script; nothing is started", ""},
    {"--nodes", 0, "N", "hosts; 1, or launch.nodes", ""},
    {"--gpus-per-node", 0, "N", "GPUs of each host; none, or launch.devices over the nodes", ""},
    {"--time", 0, "TIME", "after which Slurm ends the job: 04:00:00, 4h", ""},
};

constexpr Option kRunsOptions[] = {
    {"--follow", 0, "", "of `logs`: go on until the run has ended", ""},
};
constexpr Option kStore[] = {
    {"--older-than", 0, "TIME", "of `gc`: only what was last used longer ago: 30d, 12h", ""},
    {"--max-size", 0, "SIZE", "of `gc`: only as much as is above SIZE: 50GB", ""},
    {"--dry-run", 0, "", "of `gc`: only say what would go", ""},
    {"--repair", 0, "", "of `verify`: remove what is damaged, so that a run makes it again", ""},
};

constexpr Names kActionRecipe[] = {Names::nothing, Names::recipe, Names::override_};
constexpr Example kLaunchExamples[] = {
    {"stillroom launch slurm --print recipe.yaml", "one node"},
    {"stillroom launch slurm --print recipe.yaml --nodes 2 --gpus-per-node 8 --time 4h",
     "pipe it into sbatch, or edit it first"},
};
constexpr Names kFile[] = {Names::file};
constexpr Names kRecipe[] = {Names::recipe, Names::override_};
constexpr Names kRecipeKey[] = {Names::recipe, Names::recipe_key, Names::override_};
constexpr Names kRecipesRuns[] = {Names::recipe_or_run};
constexpr Names kFileRun[] = {Names::file_or_run};
constexpr Names kStage[] = {Names::stage};
constexpr Names kSubject[] = {Names::stage, Names::nothing};
constexpr Names kStageOverrides[] = {Names::stage, Names::override_};
constexpr Names kRuns[] = {Names::run};
constexpr Names kLibrary[] = {Names::library};
constexpr Names kActionRun[] = {Names::nothing, Names::run, Names::run_stage};
constexpr Names kActionLibrary[] = {Names::nothing, Names::library, Names::file};
constexpr Names kActionFile[] = {Names::nothing, Names::file};

constexpr Example kCommonExamples[] = {
    {"stillroom check recipe.yaml", "every mistake in a recipe, at once"},
    {"stillroom explain recipe.yaml params.target", "where a value comes from"},
};
constexpr Example kInitExamples[] = {
    {"stillroom init --list", "what there is to begin from"},
    {"stillroom init prune-then-distill --to mine.yaml", "a recipe of your own"},
};
constexpr Example kRecipesExamples[] = {
    {"stillroom recipes ls", "every recipe and group that can be used by name"},
    {"stillroom recipes show prune-then-distill", "one of them"},
};
constexpr Example kDoctorExamples[] = {
    {"stillroom doctor", "a table for people"},
    {"stillroom doctor --json", "the same for programs"},
};
constexpr Example kCheckExamples[] = {
    {"stillroom check recipe.yaml", "the recipe as it stands"},
    {"stillroom check recipe.yaml params.target=4e9 -m 'stages.healed.steps=10,20'",
     "as it would be with these overrides, one job for each number of steps"},
};
constexpr Example kComposeExamples[] = {
    {"stillroom compose recipe.yaml data=mock --resolve", "with another option of the group data"},
    {"stillroom compose recipe.yaml -p stages.student --json", "one stage, as JSON"},
};
constexpr Example kExplainExamples[] = {
    {"stillroom explain recipe.yaml stages.student.target params.target=4e9",
     "value, type, help, and every place it came from"},
    {"stillroom explain recipe.yaml --defaults", "the files that make up the recipe"},
};
constexpr Example kGraphExamples[] = {
    {"stillroom graph recipe.yaml", "as text"},
    {"stillroom graph recipe.yaml --format mermaid", "for a page on a forge"},
};
constexpr Example kPlanExamples[] = {
    {"stillroom plan recipe.yaml", "what would run, and why"},
    {"stillroom plan recipe.yaml params.target=4e9 --why", "and each field that changed"},
};
constexpr Example kWhyExamples[] = {
    {"stillroom why recipe.yaml student", "against the newest result of that stage"},
    {"stillroom why recipe.yaml student params.target=4e9", "as it would be with this override"},
};
constexpr Example kDiffExamples[] = {
    {"stillroom diff recipe.yaml other.yaml", "key by key"},
    {"stillroom diff recipe.yaml other.yaml --json", "the same for programs"},
};
constexpr Example kVerifyExamples[] = {
    {"stillroom verify latest", "all that the newest run made or used"},
    {"stillroom verify runs/sample/latest --json", "the same for programs"},
};
constexpr Example kLockExamples[] = {
    {"stillroom lock recipe.yaml", "writes recipe.lock beside the recipe"},
    {"stillroom lock recipe.yaml --update 'recipe recipe.yaml'", "takes one item as it is now"},
};
constexpr Example kRunsExamples[] = {
    {"stillroom runs ls", "the newest first"},
    {"stillroom runs logs latest", "what its stages had to say"},
};
constexpr Example kStoreExamples[] = {
    {"stillroom store ls", "what there is, and which runs keep it"},
    {"stillroom store gc --older-than 30d --dry-run", "what would go"},
};
constexpr Example kFmtExamples[] = {
    {"stillroom fmt recipe.yaml", "rewrites the file"},
    {"stillroom fmt recipe.yaml --check", "for a commit hook"},
};
constexpr Example kParseExamples[] = {
    {"stillroom parse recipe.yaml", "the document as JSON"},
    {"stillroom parse recipe.yaml --format json", "and any mistake as JSON too"},
};
constexpr Example kStagesExamples[] = {
    {"stillroom stages", "every stage type"},
    {"stillroom stages prune.minitron", "the ports and settings of one"},
};
constexpr Example kHelpExamples[] = {
    {"stillroom help prune.minitron", "a stage type"},
    {"stillroom help recipe.yaml", "the knobs of a recipe"},
};
constexpr Example kSchemaExamples[] = {
    {"stillroom schema stage prune.minitron", "the schema of a stage type"},
    {"stillroom schema validate settings.schema.json settings.yaml",
     "any schema, any YAML or JSON file"},
};
constexpr Example kCompletionExamples[] = {
    {"stillroom completion bash", "the script; source it from ~/.bashrc"},
    {"stillroom completion fish", "for ~/.config/fish/completions/stillroom.fish"},
};

constexpr Example kRunExamples[] = {
    {"stillroom run recipe.yaml", "runs what is not in the store"},
    {"stillroom run recipe.yaml -m params.target=4e9,6e9 --keep-going",
     "two jobs, shared stages once"},
};
constexpr Example kResumeExamples[] = {
    {"stillroom resume latest", "the newest run goes on"},
    {"stillroom resume runs/sample/latest --accept-changes", "with the recipe as it is now"},
};
constexpr Example kDoExamples[] = {
    {"stillroom do checkpoint.inspect model=./models/student", "one stage, no recipe"},
    {"stillroom do data.mock vocabulary=1000 documents=10 --json /launch=local",
     "its result as JSON; groups with a '/'"},
};

constexpr Verb kVerbs[] = {
    {"init",
     "[NAME]",
     "write a recipe to begin from",
     "Copies a shipped recipe to a file of your own, with the line that makes editors complete its "
     "keys "
     "and mark mistakes. Groups it takes from the library keep working. Without a name: `tiny`, "
     "which "
     "two CPU cores can run.",
     "",
     0,
     1,
     kInit,
     kLibrary,
     kInitExamples,
     run_init},
    {"check",
     "RECIPE [OVERRIDE...]",
     "find every mistake in a recipe",
     "Reads, composes, resolves and checks the recipe against the schemas of its stages, and shows "
     "every mistake at once with its place and a way out. Runs nothing and opens no plugin.",
     "",
     1,
     kAny,
     kCheck,
     kRecipe,
     kCheckExamples,
     run_check},
    {"plan",
     "RECIPE [OVERRIDE...]",
     "show what would run, and why",
     "Prints for each stage whether it will run, is in the store already, or waits for another, "
     "with the reason and the line that caused it, and what it all costs. Reads small files only, "
     "and writes nothing.",
     "",
     1,
     kAny,
     kPlan,
     kRecipe,
     kPlanExamples,
     run_plan},
    {"why",
     "RECIPE STAGE [OVERRIDE...]",
     "show what changed since a stage last ran",
     "Compares what decides the stage's result now with what decided the newest one that is "
     "stored, field by field, each with the line that says it.",
     "",
     2,
     kAny,
     {},
     kRecipeKey,
     kWhyExamples,
     run_why},
    {"run",
     "RECIPE [OVERRIDE...]",
     "run what is not in the store",
     "Checks and plans the recipe, then works through its stages: what is in the store already is "
     "used, the rest runs. It may be stopped at any moment; the same command goes on where it was. "
     "One Ctrl-C stops at the next safe point, a second one at once.",
     "",
     1,
     kAny,
     kRun,
     kRecipe,
     kRunExamples,
     run_run},
    {"resume",
     "RUN",
     "go on with a run",
     "Goes on in a run folder with what was asked for when it was begun. A recipe that changed "
     "since "
     "is refused, with the keys that changed, unless --accept-changes. RUN is a folder, the start "
     "of "
     "a run's id, or `latest`.",
     "",
     1,
     1,
     kResumeRun,
     kRuns,
     kResumeExamples,
     run_resume},
    {"do",
     "STAGE [KEY=VALUE...]",
     "run one stage without a recipe",
     "The same checks and the same store as a recipe of this one stage, which is called `stage`. "
     "Bare "
     "keys are the stage's ports and settings, groups are written /data=wikitext. Prints what the "
     "stage has to say.",
     "",
     1,
     kAny,
     kRun,
     kStageOverrides,
     kDoExamples,
     run_do},
    {"compose",
     "RECIPE [OVERRIDE...]",
     "show the recipe as composed",
     "Puts the recipe together from its defaults, groups and overrides and prints it as YAML. No "
     "schema "
     "is applied, so that any file of that form can be composed. With --json the value itself is "
     "printed; with --origins beside it the places each value came from.",
     "",
     1,
     kAny,
     kCompose,
     kRecipe,
     kComposeExamples,
     run_compose},
    {"explain",
     "RECIPE [KEY] [OVERRIDE...]",
     "show where a value comes from",
     "Prints value, type, default, unit and help of a key, and each place that set it, the newest "
     "first. Without a key: what the recipe is made of.",
     "",
     1,
     kAny,
     kExplain,
     kRecipeKey,
     kExplainExamples,
     run_explain},
    {"graph",
     "RECIPE [OVERRIDE...]",
     "draw the stages and what flows between them",
     "Draws the checked recipe: its stages in an order in which they can run, those the engine "
     "inserts "
     "included.",
     "",
     1,
     kAny,
     kGraph,
     kRecipe,
     kGraphExamples,
     run_graph},
    {"diff",
     "A B",
     "compare two recipes, or two runs",
     "Composes both recipes and lists the keys whose values differ. Of two runs, each a folder, "
     "the "
     "start of a run's id or `latest`: recipe, versions, inputs and the last value of each metric.",
     "",
     2,
     2,
     {},
     kRecipesRuns,
     kDiffExamples,
     run_diff},
    {"verify",
     "PATH",
     "hash again what was made",
     "Reads and hashes all that a run made or used, an entry of the store, or what a stage wrote "
     "outside the store, and compares it with what was written down then. PATH may also be the "
     "start of a run's id, or `latest`. Exit 9 where something is damaged; nothing is changed.",
     "",
     1,
     1,
     {},
     kFileRun,
     kVerifyExamples,
     run_verify},
    {"launch",
     "slurm RECIPE [OVERRIDE...]",
     "print a batch script that runs a recipe",
     "Prints a script for sbatch: resources, signals before the time is over, and a place in the "
     "queue again when the run stopped with its work saved. Launchers themselves are chosen with "
     "launch=slurm or launch=mpi.",
     "slurm",
     2,
     kAny,
     kLaunch,
     kActionRecipe,
     kLaunchExamples,
     run_launch},
    {"lock",
     "RECIPE [OVERRIDE...]",
     "write down what a recipe is made of",
     "Writes recipe.lock beside the recipe: the version of the engine, the files of the recipe by "
     "their bytes and by their value, plugins, datasets, and remote recipes and models by digest. "
     "It serves every recipe of the folder. `check --locked` and `run --locked` refuse what "
     "differs, by name. A remote recipe that is pinned nowhere is pinned to what it is now.",
     "",
     1,
     kAny,
     kLock,
     kRecipe,
     kLockExamples,
     run_lock},
    {"runs",
     "ls|show|logs [RUN] [STAGE]",
     "list runs, show one, or read its logs",
     "RUN is a folder, the start of a run's id, or `latest`, which is also meant where none is "
     "given. With the name of a stage only its lines are shown.",
     "ls|show|logs",
     1,
     3,
     kRunsOptions,
     kActionRun,
     kRunsExamples,
     run_runs},
    {"store",
     "ls|gc|verify|path [KEY]",
     "list, clean, check or find the stored artifacts",
     "`gc` removes what no run folder links to and no run at work uses, and what runs that were "
     "killed left behind. `verify` reads and hashes everything. `path` prints the store's folder, "
     "or that of the entry whose key begins with KEY.",
     "ls|gc|verify|path",
     1,
     2,
     kStore,
     kActionFile,
     kStoreExamples,
     run_store},
    {"recipes",
     "ls|show|copy [NAME] [FILE]",
     "the recipes and groups that can be used by name",
     "Lists the recipes and group options on the search path, shows one, or copies one to a file. "
     "First "
     "match wins along: the folder at hand, --config-dir, STILLROOM_RECIPE_PATH, the project's "
     "recipes/, the user's, the library's.",
     "ls|show|copy",
     1,
     3,
     {},
     kActionLibrary,
     kRecipesExamples,
     run_recipes},
    {"fmt",
     "RECIPE...",
     "bring recipes into the usual layout",
     "Rewrites the layout of a recipe and nothing else: indentation, blanks and empty lines. What "
     "the recipe says and every comment stay.",
     "",
     1,
     kAny,
     kFmt,
     kFile,
     kFmtExamples,
     run_fmt},
    {"parse",
     "FILE",
     "print a YAML or JSON file as typed JSON",
     "Reads one document by YAML 1.2's core rules and prints it as one JSON value, keys in order, "
     "infinities and NaN as the strings \"inf\", \"-inf\" and \"nan\". Nothing is composed.",
     "",
     1,
     1,
     {},
     kFile,
     kParseExamples,
     run_parse},
    {"stages",
     "[TYPE]",
     "the stage types that recipes can use",
     "Lists the stage types, or shows the ports, settings, bounds and defaults of one.",
     "",
     0,
     1,
     {},
     kStage,
     kStagesExamples,
     run_stages},
    {"help",
     "[VERB | STAGE | RECIPE | KEY]",
     "explain a verb, a stage type, a recipe or a key",
     "Explains a verb, a stage type, the params of a recipe, or a key such as "
     "prune.minitron.target.",
     "",
     0,
     2,
     {},
     kSubject,
     kHelpExamples,
     run_help},
    {"schema",
     "recipe | stage NAME | validate SCHEMA FILE...",
     "print JSON Schemas, or validate by one",
     "`schema recipe` prints one self-contained JSON Schema of recipes with all stage types, for "
     "editors. `schema stage` prints that of a stage. `schema validate` checks YAML and JSON files "
     "against any JSON Schema 2020-12.",
     "recipe|stage|validate",
     1,
     kAny,
     kSchema,
     kActionFile,
     kSchemaExamples,
     run_schema},
    {"doctor",
     "",
     "look at this machine and say what is missing",
     "Looks at compiler, libraries, LibTorch, CUDA, devices, cores, memory and caches, and says "
     "how to "
     "get what is missing. Starts no process and opens no connection.",
     "",
     0,
     0,
     {},
     {},
     kDoctorExamples,
     run_doctor},
    {"completion",
     "bash|zsh|fish",
     "print the completion script of a shell",
     "Prints a small script that completes verbs, options, recipes, keys and group options.",
     "bash|zsh|fish",
     1,
     1,
     {},
     {},
     kCompletionExamples,
     run_completion},
};

}  // namespace

std::span<const Verb> verbs() {
    return kVerbs;
}

std::span<const Option> common_options() {
    return kCommon;
}

std::span<const Example> common_examples() {
    return kCommonExamples;
}

const Verb* find_verb(std::string_view name) {
    const auto* found = std::find_if(
        std::begin(kVerbs), std::end(kVerbs), [&](const Verb& verb) { return verb.name == name; });
    return found == std::end(kVerbs) ? nullptr : found;
}

const Option* find_option(const Verb* verb, std::string_view name) {
    if (verb)
        for (const Option& option : verb->options)
            if (option.name == name)
                return &option;
    for (const Option& option : kCommon)
        if (option.name == name)
            return &option;
    return nullptr;
}

std::vector<std::string> verb_names() {
    std::vector<std::string> names;
    for (const Verb& verb : kVerbs)
        names.emplace_back(verb.name);
    return names;
}

}  // namespace stillroom::cli
