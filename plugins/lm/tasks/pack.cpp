#include "plugins/lm/tasks/pack.h"

#include <algorithm>
#include <limits>

namespace stillroom::lm {
namespace {

using Ids = std::vector<std::int32_t>;

std::size_t common_length(const Ids& a, const Ids& b, std::size_t most) {
    std::size_t count = std::min({a.size(), b.size(), most});
    auto differ =
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(count), b.begin());
    return static_cast<std::size_t>(differ.first - a.begin());
}

/// The first token of a path that is asked for something.
std::size_t first_row(const Asked& asked, const AskedChoice& choice) {
    return asked.paths[choice.path].size() - choice.targets.size();
}

/// What all questions begin with, up to where the first of them is asked something.
Ids shared_beginning(std::span<const Asked> group) {
    const Ids* first = nullptr;
    std::size_t length = std::numeric_limits<std::size_t>::max(), paths = 0;
    for (const Asked& asked : group) {
        if (asked.cut)
            continue;
        for (const Ids& path : asked.paths) {
            first = first ? first : &path;
            length = common_length(*first, path, length);
            paths++;
        }
        for (const AskedChoice& choice : asked.choices)
            length = std::min(length, first_row(asked, choice));
    }
    return paths < 2 ? Ids{}
                     : Ids(first->begin(), first->begin() + static_cast<std::ptrdiff_t>(length));
}

/// A question's paths beyond `from`: what they share, and each one's rest.
struct Tree {
    std::size_t from = 0, stem = 0;
    std::size_t tokens = 0;

    Tree(const Asked& asked, std::size_t beginning, bool share) : from(beginning) {
        std::size_t together = share ? asked.paths.front().size() : from;
        for (const Ids& path : asked.paths)
            together = common_length(asked.paths.front(), path, together);
        stem = std::max(together, from) - from;
        tokens = stem;
        for (const Ids& path : asked.paths)
            tokens += path.size() - from - stem;
    }
};

class Packer {
public:
    Packer(const Packing& packing) : packing_(packing) {}

    void add_group(std::span<const Asked> group, std::size_t first_question) {
        Ids beginning = packing_.share ? shared_beginning(group) : Ids{};
        std::int64_t root = -1;  // its segment in the open pack
        for (std::size_t i = 0; i < group.size(); i++) {
            const Asked& asked = group[i];
            bool rooted = !beginning.empty() && !asked.cut;
            Tree tree(asked, rooted ? beginning.size() : 0, packing_.share);
            if (!fits(tree.tokens + (rooted && root < 0 ? beginning.size() : 0)))
                root = next_pack(root);
            if (rooted && root < 0)
                root = add_segment(beginning, -1);
            add_question(asked, tree, first_question + i, rooted ? root : -1);
        }
    }

    std::vector<Pack> take() {
        close();
        return std::move(packs_);
    }

private:
    bool fits(std::size_t tokens) const {
        return pack_.questions.empty() ||
               (pack_.ids.size() + tokens <= packing_.tokens &&
                (packing_.questions == 0 || pack_.questions.size() < packing_.questions));
    }

    void close() {
        if (!pack_.questions.empty())
            packs_.push_back(std::move(pack_));
        pack_ = {};
    }

    /// Where the group's beginning is in the next pack, if it is handed on.
    std::int64_t next_pack(std::int64_t root) {
        bool handed_on = root >= 0 && packing_.keep;
        if (handed_on)
            pack_.keeps = static_cast<std::size_t>(root);
        close();
        pack_.goes_on = handed_on;
        return handed_on ? add_segment({}, -1) : -1;
    }

    std::int64_t add_segment(std::span<const std::int32_t> ids, std::int64_t after) {
        pack_.ids.insert(pack_.ids.end(), ids.begin(), ids.end());
        pack_.lengths.push_back(std::ssize(ids));
        pack_.after.push_back(after);
        return std::ssize(pack_.lengths) - 1;
    }

    void add_question(const Asked& asked,
                      const Tree& tree,
                      std::size_t question,
                      std::int64_t root) {
        std::size_t fork = tree.from + tree.stem;  // where the paths part
        std::int64_t stem_begin = std::ssize(pack_.ids), stem = root;
        if (tree.stem > 0)
            stem = add_segment(std::span(asked.paths.front()).subspan(tree.from, tree.stem), root);
        std::vector<std::int64_t> branch_begins;
        for (const Ids& path : asked.paths) {
            branch_begins.push_back(std::ssize(pack_.ids));
            if (path.size() > fork)
                add_segment(std::span(path).subspan(fork), stem);
        }
        PackedQuestion packed{.question = question, .one_place = asked.one_place(), .choices = {}};
        for (const AskedChoice& choice : asked.choices) {
            PackedChoice out{.rows = {}, .targets = choice.targets};
            std::size_t first = first_row(asked, choice);
            for (std::size_t row = first; row < asked.paths[choice.path].size(); row++)
                out.rows.push_back(row < fork
                                       ? stem_begin + static_cast<std::int64_t>(row - tree.from)
                                       : branch_begins[choice.path] +
                                             static_cast<std::int64_t>(row - fork));
            packed.choices.push_back(std::move(out));
        }
        pack_.questions.push_back(std::move(packed));
    }

    const Packing& packing_;
    Pack pack_;
    std::vector<Pack> packs_;
};

}  // namespace

std::vector<Pack> pack_questions(std::span<const Asked> asked, const Packing& packing) {
    Packer packer(packing);
    for (std::size_t begin = 0, end = 0; begin < asked.size(); begin = end) {
        while (end < asked.size() && asked[end].group == asked[begin].group)
            end++;
        packer.add_group(asked.subspan(begin, end - begin), begin);
    }
    return packer.take();
}

}  // namespace stillroom::lm
