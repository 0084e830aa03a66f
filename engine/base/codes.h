#pragma once

namespace stillroom::code {

// The numbers of messages: R0xx reading, R1xx composition, R2xx overrides, R3xx interpolation, R4xx
// schema, R5xx graph and ports, R6xx lock, remote and policy, R7xx sweeps, R8xx plans and runs. A
// number never changes its meaning and is never used again.

// Reading
inline constexpr int kCannotRead = 1;  // no such file, a folder, no permission
inline constexpr int kTooLarge = 2;    // a file over its budget
inline constexpr int kEncoding = 3;    // not UTF-8, UTF-16, NUL, control characters, a mark inside
inline constexpr int kSyntax = 4;      // not YAML, or YAML we refuse
inline constexpr int kDuplicateKey = 5;     // two equal keys in one map
inline constexpr int kTooDeep = 6;          // nesting over its budget
inline constexpr int kTooManyNodes = 7;     // nodes over their budget, after aliases
inline constexpr int kAlias = 8;            // undefined, or inside what it names
inline constexpr int kTag = 9;              // a tag we do not know
inline constexpr int kDocuments = 10;       // none, or more than one; directives
inline constexpr int kTab = 11;             // a tab in indentation
inline constexpr int kIndentation = 12;     // lines that do not line up
inline constexpr int kUnclosed = 13;        // a bracket or quote never closed
inline constexpr int kKey = 14;             // null, map or list as a key; a key without its colon
inline constexpr int kAmbiguousZero = 15;   // 017
inline constexpr int kMergeKey = 16;        // << with something that is no map
inline constexpr int kConflictMarker = 17;  // <<<<<<< of a version control system
inline constexpr int kJson = 18;            // not JSON

// Composition
inline constexpr int kDefaultsForm = 101;       // an entry of `defaults` that has no known form
inline constexpr int kNoSuchGroup = 102;        // no folder of that name on the search path
inline constexpr int kNoSuchOption = 103;       // no such file in the group
inline constexpr int kNoSuchFile = 104;         // an included file or recipe that is nowhere
inline constexpr int kTwoValues = 105;          // one group chosen twice
inline constexpr int kTwoSelves = 106;          // `_self_` twice in one list
inline constexpr int kOverrideOrder = 107;      // `override` before or without its target
inline constexpr int kFileCycle = 108;          // a file that brings itself in
inline constexpr int kChoiceMissing = 109;      // `group: ???` that nobody chose
inline constexpr int kDefaultsReference = 110;  // `${...}` in a defaults list that names no choice
inline constexpr int kMergeKinds = 111;         // a map against a list, a scalar over a map
inline constexpr int kListOperator = 112;       // !append and its like where there is no list
inline constexpr int kPackage = 113;            // a package that cannot be
inline constexpr int kTooManyFiles = 114;       // more files or bytes than a composition may have
inline constexpr int kRootKind = 115;           // a recipe that is no map
inline constexpr int kReservedGroup = 116;      // a group that no recipe may have: params, launch
inline constexpr int kUnused = 117;             // warning: a leaf that nothing reads
inline constexpr int kRootKey = 118;            // `launch` at the top of a recipe

// Overrides: reading them (201-219), applying them (220-)
inline constexpr int kOverrideForm = 201;       // no '=', a blank before it, an unknown operator
inline constexpr int kOverrideKey = 202;        // a key that is none
inline constexpr int kOverrideValue = 203;      // a value outside the grammar
inline constexpr int kOverrideUnclosed = 204;   // a quote, bracket, brace or `${` never closed
inline constexpr int kFunctionName = 205;       // an unknown function
inline constexpr int kFunctionArguments = 206;  // arguments that a function cannot take
inline constexpr int kSweepPlace = 207;         // a sweep inside a list, a map or another sweep
inline constexpr int kOverrideDuplicate = 208;  // two equal keys in one map
inline constexpr int kNeedsMultirun = 209;      // a sweep without -m

inline constexpr int kNothingToChange = 220;  // a change of what does not exist
inline constexpr int kAlreadyThere = 221;     // an addition of what exists
inline constexpr int kCannotDelete = 222;  // a deletion of what does not exist, or is another value
inline constexpr int kListIndex = 223;     // an index that a list does not have
inline constexpr int kPathThroughScalar = 224;  // a.b where a is no map
inline constexpr int kGroupOverride = 225;      // a choice that a group cannot take

// Interpolation
inline constexpr int kInterpolationSyntax = 301;
inline constexpr int kUnknownReference = 302;  // no such key
inline constexpr int kReferenceCycle = 303;    // a value that needs itself
inline constexpr int kMissingValue = 304;      // a reference to ???
inline constexpr int kCollectionInText = 305;  // a map or list inside a text
inline constexpr int kUnknownResolver = 306;
inline constexpr int kResolverArguments = 307;
inline constexpr int kVariableNotSet = 308;
inline constexpr int kVariableNotAllowed = 309;   // off the allow-list; exit 10
inline constexpr int kCalculation = 310;          // division by zero, overflow, text, null, syntax
inline constexpr int kInterpolationBudget = 311;  // a tree or text that would grow too large
inline constexpr int kStageReference = 312;       // ${stages.X.outputs.Y}
inline constexpr int kDeprecatedKey = 313;        // warning of oc.deprecated
inline constexpr int kNoContainer = 314;          // a path through a value that has no keys
inline constexpr int kDecode = 315;               // oc.decode of what is no override value

// Schemas: values against them
inline constexpr int kUnknownKey = 401;
inline constexpr int kWrongType = 402;  // not of the type asked for, or an ambiguous spelling
inline constexpr int kMissingKey = 403;
inline constexpr int kOutOfBounds = 404;  // below or above a limit
inline constexpr int kNotOneOf = 405;     // none of the values allowed
inline constexpr int kPatternMismatch = 406;
inline constexpr int kWrongLength = 407;  // of a text, a list or a map
inline constexpr int kNotMultiple = 408;
inline constexpr int kNotUnique = 409;     // equal items in a list
inline constexpr int kNoBranch = 410;      // none of several forms fits, or more than one
inline constexpr int kForbidden = 411;     // a value that is excluded
inline constexpr int kDependentKey = 412;  // a key that another one asks for
inline constexpr int kContains = 413;      // too few or too many items of a kind
inline constexpr int kKeyName = 414;       // a key whose name is not allowed

// Schemas: the schemas themselves
inline constexpr int kSchemaForm = 420;       // a keyword with a value it cannot have
inline constexpr int kSchemaReference = 421;  // a reference that leads nowhere
inline constexpr int kSchemaPattern = 422;    // a pattern that is none
inline constexpr int kSchemaDialect = 423;    // a $schema or vocabulary we do not know
inline constexpr int kSchemaCost = 424;       // checking it takes too many steps, or never ends
inline constexpr int kStageProfile = 425;     // a stage schema outside its profile
inline constexpr int kStageTwice = 426;       // one stage type from two folders
inline constexpr int kStageFile = 427;        // a schema file that cannot be read
inline constexpr int kSchemaParam = 428;      // a `schema` block that describes no param

// Graph and ports
inline constexpr int kUnknownStage = 501;    // a reference to a stage that is not there
inline constexpr int kUnknownOutput = 502;   // a stage without that output
inline constexpr int kPortType = 503;        // an artifact of the wrong type
inline constexpr int kSeveralOutputs = 504;  // a plain name that could mean several outputs
inline constexpr int kReferenceForm = 505;   // a port's value that is no reference
inline constexpr int kStageLeftOut = 506;    // a port that needs a stage with `when: false`
inline constexpr int kPortMissing = 507;     // a required port without a value
inline constexpr int kStageCycle = 508;      // stages that need each other
inline constexpr int kUnknownType = 509;     // no stage type or recipe of that name
inline constexpr int kUseForm = 510;         // `use` absent, or no literal text
inline constexpr int kRecipeCycle = 511;     // a recipe that contains itself
inline constexpr int kInputMissing = 512;    // an input that nothing gives
inline constexpr int kNameTaken = 513;       // a stage called like an input
inline constexpr int kNoLoader = 514;        // something outside for a port type that nothing loads
inline constexpr int kRanks = 515;           // a layout that does not multiply to the ranks
inline constexpr int kUnknownParam = 516;    // a setting that a sub-recipe has no param for
inline constexpr int kSubRecipeBudget = 517;  // recipes inside one another too deep, or too many

// Files that may not be part of a recipe
inline constexpr int kOutside = 601;   // a path that leaves the recipe's folder and the search path
inline constexpr int kUnpinned = 602;  // a remote recipe without its digest
inline constexpr int kUntrusted = 603;     // code or commands that a recipe names
inline constexpr int kSecretPlace = 604;   // a secret where none may stand
inline constexpr int kSiteOnly = 605;      // a key of the site's in a user's configuration
inline constexpr int kRemote = 606;        // a remote recipe that cannot be had
inline constexpr int kRemoteDigest = 607;  // a remote recipe whose bytes are not those pinned
inline constexpr int kRemoteReads = 608;   // what a remote recipe may not read or set
inline constexpr int kLockDrift = 609;     // something is not what the lock says

// Sweeps
inline constexpr int kSweepInterval = 701;  // an interval, which only an optimiser can take
inline constexpr int kNoJobs = 702;
inline constexpr int kTooManyJobs = 703;
inline constexpr int kSweepBlock = 704;  // a `sweep` block that is not of its form
inline constexpr int kEqualJobs = 705;   // warning: jobs merged
inline constexpr int kSweepGlob = 706;   // a glob that matches nothing, or on what is no group
inline constexpr int kZipRows = 707;     // columns of unequal length

// Plans (801-819)
inline constexpr int kNoSource = 801;    // an outside file or folder that cannot be read; exit 3
inline constexpr int kRefused = 802;     // a stage says that it cannot work
inline constexpr int kWillNotFit = 803;  // more memory or disk than there is; exit 4

}  // namespace stillroom::code
