#include "plugins/data/text_sources.h"

#include "engine/base/descriptor.h"
#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "engine/plugin/stage.h"
#include "plugins/lm/hub/hub_download.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kDatasets = "hf:datasets/";

bool is_wanted(const std::string& path, const std::string& inside) {
    if (path == inside)
        return true;
    bool below = inside.empty() || path.starts_with(inside + "/");
    return below && !lm::texts_among({path}).empty();
}

std::vector<lm::TextFile> fetch(const TextSource& source, RunContext& context) {
    std::string inside = source.path.generic_string();
    lm::HubRequest request{source.repo, lm::HubPart::all, {}, false};
    request.wanted = [&](const lm::HubFile& file) { return is_wanted(file.path, inside); };
    lm::HubWatch watch;
    watch.progress = [&](std::uint64_t done, std::uint64_t all, std::string_view file) {
        context.progress(all ? static_cast<double>(done) / static_cast<double>(all) : 0,
                         fmt::format("fetching {}", file));
    };
    watch.cancelled = [&] { return context.cancelled(); };
    lm::HubSettings settings = lm::HubSettings::from_environment(context.offline());
    lm::HubSnapshot snapshot = lm::fetch_snapshot(request, settings, watch);
    for (const std::string& warning : snapshot.warnings)
        context.log(LogLevel::warning, warning);
    for (const lm::HubFetched& file : snapshot.files)
        if (!file.digest.empty())
            context.hashed(file.file, file.size, file.digest);
    fs::path place = inside.empty() ? snapshot.folder : snapshot.folder / inside;
    std::error_code ignored;
    if (!fs::exists(place, ignored))
        throw Error({}, fmt::format("{} has no file '{}'", source.repo.told(), inside))
            .hint(fmt::format("look at https://huggingface.co/datasets/{}/tree/{}",
                              source.repo.repo,
                              source.repo.revision))
            .exit_code(kExitBadInput);
    std::vector<lm::TextFile> files = lm::find_text_files(place);
    for (const lm::TextFile& file : files)
        context.reads(file.path);
    return files;
}

void copy_stdin(const fs::path& to, RunContext& context) {
    constexpr std::uint64_t kTell = std::uint64_t{64} << 20;
    remove_tree(to);
    Descriptor file = make_new_file(to);
    std::string piece(std::size_t{1} << 20, '\0');
    std::uint64_t all = 0, told = 0;
    while (!context.cancelled()) {
        ssize_t count = retried([&] { return ::read(STDIN_FILENO, piece.data(), piece.size()); });
        if (count < 0)
            throw Error({}, fmt::format("cannot read stdin: {}", std::strerror(errno)))
                .exit_code(kExitBadInput);
        if (count == 0)
            break;
        write_all(file, std::string_view(piece.data(), static_cast<std::size_t>(count)), to);
        all += static_cast<std::uint64_t>(count);
        if (all - told >= kTell) {
            told = all;
            context.progress(0, fmt::format("{} read from stdin", size_text(all)));
        }
    }
    close_written(file, to);
}

/// What came before an interruption is kept where nothing comes now, or the same.
std::vector<lm::TextFile> keep_stdin(RunContext& context) {
    fs::path kept = context.work() / "stdin", coming = context.work() / "stdin.new";
    copy_stdin(coming, context);
    std::error_code ignored;
    std::uint64_t size = stamp_of(coming).size;
    auto threads = static_cast<unsigned>(context.threads());
    bool same =
        fs::exists(kept, ignored) &&
        (size == 0 || (size == stamp_of(kept).size &&
                       digest_file(kept, threads).digest == digest_file(coming, threads).digest));
    if (same)
        remove_tree(coming);
    else if (size == 0 && !context.cancelled())
        throw Error({}, "nothing came in by stdin, which '-' names")
            .hint("zcat *.gz | stillroom do data.tokenize files=- tokenizer=...")
            .exit_code(kExitBadInput);
    else
        rename_path(coming, kept);
    context.reads(kept);
    return {{kept, "stdin", lm::TextKind::lines, stamp_of(kept).size}};
}

}  // namespace

TextSource parse_text_source(const std::string& text) {
    TextSource source;
    if (text == "-") {
        source.kind = TextSource::Kind::piped;
    } else if (text.starts_with(kDatasets)) {
        source.kind = TextSource::Kind::hub;
        std::size_t name = text.find('/', kDatasets.size());
        std::size_t end = name == text.npos ? text.npos : text.find('/', name + 1);
        source.repo = lm::parse_hub_source(text.substr(0, end));
        if (end != text.npos && end + 1 < text.size()) {
            source.path = text.substr(end + 1);
            if (std::string fault = lm::hub_path_fault(source.path.native()); !fault.empty())
                throw Error({}, fmt::format("'{}' names no file: {}", escape_controls(text), fault))
                    .exit_code(kExitUsage);
        }
    } else if (text.starts_with("hf:") || text.starts_with("pypi:") || text.starts_with("https:") ||
               text.starts_with("http:")) {
        throw Error({}, fmt::format("'{}' names no text", escape_controls(text)))
            .hint("text comes from files and from hf:datasets/ORG/NAME[@REVISION]/PATH")
            .exit_code(kExitUsage);
    } else {
        source.path = text.starts_with("file:") ? text.substr(5) : text;
    }
    return source;
}

std::optional<std::vector<lm::TextFile>> known_files(const TextSource& source) {
    if (source.kind == TextSource::Kind::path)
        return lm::find_text_files(source.path);
    return std::nullopt;
}

std::vector<lm::TextFile> bring_files(const std::vector<TextSource>& sources, RunContext& context) {
    std::vector<lm::TextFile> files;
    for (const TextSource& source : sources) {
        std::vector<lm::TextFile> some =
            source.kind == TextSource::Kind::path  ? lm::find_text_files(source.path)
            : source.kind == TextSource::Kind::hub ? fetch(source, context)
                                                   : keep_stdin(context);
        files.insert(files.end(), some.begin(), some.end());
    }
    return files;
}

}  // namespace stillroom::data
