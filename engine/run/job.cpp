#include "engine/run/job.h"

#include "engine/run/job_fields.h"

namespace stillroom {
namespace fs = std::filesystem;

bool has_saved_work(const Job& job) {
    if (job.is_new)
        return false;
    std::error_code none;
    std::filesystem::directory_iterator first(job.work, none);
    return !none && first != std::filesystem::directory_iterator();
}

std::string job_text(const Job& job) {
    JobWriter out;
    out.begin_object();
    out.text("run", job.run);
    out.text("stage", job.stage);
    out.text("use", job.use);
    out.settings(job.settings);
    out.texts("given", job.given);
    out.text("recipe", job.recipe);
    out.key("inputs");
    out.begin_object();
    for (const auto& [port, folders] : job.inputs)
        out.paths(port, folders);
    out.end_object();
    out.key("outputs");
    out.begin_object();
    for (const auto& [name, folder] : job.outputs)
        out.text(name, folder.native());
    out.end_object();
    out.text("work", job.work.native());
    out.text("tensorboard", job.tensorboard.native());
    out.text("records", job.records.native());
    out.text("cancel", job.cancel.native());
    out.text("alive", job.alive.native());
    out.paths("plugins", job.plugins);
    out.key("environment");
    out.begin_object();
    for (const auto& [name, value] : job.environment)
        out.text(name, value);
    out.end_object();
    out.text("device", job.device);
    out.integer("ranks", job.ranks);
    out.integer("threads", job.threads);
    out.integer("try", job.try_number);
    out.number("timeout", job.timeout);
    out.number("beat", job.beat);
    out.boolean("offline", job.offline);
    out.boolean("strict", job.strict);
    out.texts("inject", job.inject);
    out.end_object();
    return out.take() + "\n";
}

Job read_job(const fs::path& file) {
    return parse_job(read_job_file(file), file);
}

Job parse_job(std::string text, const fs::path& file) {
    NodePtr root = parse_job_json(std::move(text), file);
    JobFields fields(file, *root);
    Job job;
    job.run = fields.text("run");
    job.stage = fields.text("stage");
    job.use = fields.text("use");
    job.settings = fields.map("settings");
    job.given = fields.list<std::string>("given");
    job.recipe = fields.text("recipe");
    for (const Entry& entry : fields.map("inputs")->entries) {
        if (!entry.value->is_list())
            fields.refuse("inputs", "a map of lists");
        job.inputs[entry.key] = fields.list_of<fs::path>("inputs", *entry.value);
    }
    job.outputs = fields.texts<fs::path>("outputs");
    job.work = fields.text("work");
    job.tensorboard = fields.text("tensorboard");
    job.records = fields.text("records");
    job.cancel = fields.text("cancel");
    job.alive = fields.text("alive");
    job.plugins = fields.list<fs::path>("plugins");
    job.environment = fields.texts<std::string>("environment");
    job.device = fields.text("device");
    job.ranks = fields.count("ranks", 1, kMostRanks);
    job.threads = fields.count("threads", 1, 1 << 16);
    job.try_number = fields.count("try", 1, 1 << 20);
    job.timeout = fields.seconds("timeout");
    job.beat = fields.seconds("beat");
    job.offline = fields.boolean("offline");
    job.strict = fields.boolean("strict");
    job.inject = fields.list<std::string>("inject");
    return job;
}

}  // namespace stillroom
