/** The job's Python and what is in it: there on every host, and the same on all of them. */

import type { ClusterCheck, HostCheck, HostProbe, Judgement } from "../check.ts";
import { compare, names, type Value } from "../compare.ts";
import { on, steps } from "../cure.ts";
import { isTorch, wantsGpus } from "../ranks.ts";
import { failed, filesOf, pass, skip, warn } from "../read.ts";
import { type JobPython, jobPython, ncclOf, pythonPath, torchOf, torchVersion } from "./python-shape.ts";

type Said = Judgement & { readonly host: string };

const REBUILD = on("{python} -m pip install {package}=={usual}", "better all of the environment anew from one lock file, as on {like}: uv sync --frozen");
const SYNC = on("uv sync --frozen", "in the project's directory: the environment anew from one lock file, as on {like}");

/** What each host has; those that the launcher needs nothing of are left out. */
function differences(
  probes: readonly HostProbe[],
  read: (found: JobPython) => string | null,
): { readonly values: readonly Value[]; readonly absent: readonly string[] } {
  const all = probes.map((probe) => ({ host: probe.host, value: read(jobPython(probe)) }));
  return {
    values: all.flatMap(({ host, value }) => (value === null ? [] : [{ host, value }])),
    absent: all.flatMap(({ host, value }) => (value === null ? [host] : [])),
  };
}

function pythonOn(probes: readonly HostProbe[], host: string): string {
  const probe = probes.find((one) => one.host === host);
  return probe === undefined ? "python" : pythonPath(probe);
}

/** Minorities, each named with what most have; `how` judges one difference. */
function odd(probes: readonly HostProbe[], values: readonly Value[], pkg: string, how: (usual: string, value: string) => "warn" | "fail"): readonly Said[] {
  const compared = compare(values);
  if (compared === null) return [];
  const { usual, isTie } = compared;
  const like = values.filter(({ value }) => value === usual).map(({ host }) => host);
  return compared.odd.map(({ host, value }) => {
    const words = { usual, like: like[0] ?? "", package: pkg, python: pythonOn(probes, host) };
    const expected = `${usual}, as on ${names(like)}${isTie ? " (no majority: the first host of the file counts)" : ""}`;
    return { host, ...(how(usual, value) === "fail" ? failed : warn)(`${pkg} ${value}`, { expected, words }) };
  });
}

const skipAll = (probes: readonly HostProbe[], why: string): readonly Said[] => probes.map(({ host }) => ({ ...skip(why), host }));

/** "+cu130" is of an index of its own: pip finds the version without it. */
const withoutLocal = (one: Said): Said => ({ ...one, words: { ...one.words, usual: (one.words?.usual ?? "").replace(/\+.*$/, "") } });

/** torch for another CUDA is another wheel of the same version. */
function fromItsIndex(one: Said): Said {
  const usual = one.words?.usual ?? "";
  const index = /^\d+\.\d+$/.test(usual) ? `cu${usual.replace(".", "")}` : usual.startsWith("none") ? "cpu" : null;
  if (index === null) return { ...one, words: { ...one.words, fix: SYNC } };
  const fix = on(`{python} -m pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/${index}`, "as on {like}");
  return { ...one, words: { ...one.words, fix } };
}

/** What cannot be compared is not green. */
const untold = (hosts: readonly string[]): readonly Said[] => hosts.map((host) => ({ host, ...skip("torch does not tell there") }));

const host = { group: "versions", tier: "quick", scope: "host", needs: [], who: "you" } as const;
/** Where torch itself differs it is another environment, and the rest follows from that. */
const cluster = { group: "versions", tier: "quick", scope: "cluster", who: "you", needs: ["ver.torch"] } as const;

export const VERSIONS_HOST: readonly HostCheck[] = [
  {
    ...host,
    id: "python.present",
    title: "the job's Python",
    why: "ranks run in it",
    fix: steps(on("ls -d ~/*/bin/python ~/.venv/bin/python", "which there are"), "# then name it: python: in the cluster file"),
    verify: "nexadist hosts --host {host}",
    isBlocking: true,
    proof: "broken",
    judge: (probe, { setup, python: named }, { spec }) => {
      const { python, pythonProblem } = probe.facts;
      if (setup !== undefined && named === undefined) {
        if (!isTorch(spec)) return skip("the job is a command of its own");
        const found = jobPython(probe);
        // Before a launch the run itself asks it; what was found without it says nothing of the job's.
        if (found.isAfterSetup !== true) return skip("`setup` chooses it, and is about to: the run asks that one");
        return pass(`${found.executable} ${found.version}, after \`setup\``);
      }
      if (python !== null) return pass(`${python.path} ${python.version}`);
      return isTorch(spec) ? failed(pythonProblem) : skip("the job is a command of its own");
    },
  },
  {
    ...host,
    id: "torch.present",
    title: "torch in the job's Python",
    why: "the launcher is torch's own",
    fix: on("{python} -m pip install torch", "or point python: in the cluster file at the environment that has it"),
    verify: on("{python} -c 'import torch; print(torch.__version__)'"),
    needs: ["python.present"],
    isBlocking: true,
    proof: "broken",
    judge: (probe, _, { spec }) => {
      if (!isTorch(spec)) return skip("the job is a command of its own");
      const found = jobPython(probe);
      const version = torchOf(found);
      const words = { python: pythonPath(probe) };
      const lacks = spec.launcher === "direct" && spec.job.kind !== "smoke" ? warn : failed; // a program of its own may do without
      if (version === null) return lacks(`none in ${found.executable}${found.torchProblem === undefined ? "" : `: ${found.torchProblem}`}`, { words });
      const { major, minor } = torchVersion(version);
      if (major < 2) return failed(`torch ${version}`, { expected: "2.0 or newer", words });
      return minor < 4 && major === 2 ? warn(`torch ${version}`, { expected: "2.4 or newer", words }) : pass(`torch ${version}`);
    },
  },
  {
    ...host,
    id: "accelerate.present",
    title: "accelerate in the job's Python",
    why: "the file asks for the launcher of accelerate",
    fix: on("{python} -m pip install accelerate"),
    verify: on("{python} -m accelerate.commands.env"),
    needs: ["python.present"],
    isBlocking: true,
    proof: "unproven",
    judge: (probe, _, { spec }) => {
      if (spec.launcher !== "accelerate") return skip("the launcher is not accelerate");
      const { packages, executable } = jobPython(probe);
      const version = packages?.accelerate;
      const words = { python: pythonPath(probe) };
      return typeof version === "string" && /^\d/.test(version) ? pass(version) : failed(`none in ${executable}`, { words });
    },
  },
];

/** One difference of two versions. */
const byMinor = (usual: string, value: string): "warn" | "fail" => {
  const a = torchVersion(usual);
  const b = torchVersion(value);
  return a.major === b.major && a.minor === b.minor ? "warn" : "fail";
};

export const VERSIONS_CLUSTER: readonly ClusterCheck[] = [
  {
    ...cluster,
    id: "ver.python",
    title: "the Python version across hosts",
    why: "objects that ranks send one another are pickled, and packages differ by Python",
    fix: on("uv venv --python {usual}", "make the environment of {host} anew, and install what was in it"),
    verify: on("{python} --version"),
    isBlocking: false,
    proof: "unproven",
    judge: (probes, { spec }) => {
      if (!isTorch(spec)) return skipAll(probes, "the job is a command of its own");
      return odd(probes, differences(probes, ({ version }) => version).values, "Python", () => "warn");
    },
  },
  {
    ...cluster,
    id: "ver.torch",
    title: "the torch version across hosts",
    why: "ranks of different versions fail at the rendezvous or in the first collective",
    fix: REBUILD,
    verify: "nexadist hosts",
    needs: ["torch.present"],
    unlessFailed: ["torch.import"],
    isBlocking: true,
    proof: "broken",
    judge: (probes, { spec }) => {
      if (!isTorch(spec)) return skipAll(probes, "the job is a command of its own");
      // The metadata of a package may lack the "+cu130" that torch's own file has.
      const isFromFile = probes.every((probe) => typeof jobPython(probe).torch?.version === "string");
      const { values, absent } = differences(probes, (found) => (isFromFile ? torchOf(found) : (torchOf(found)?.replace(/\+.*$/, "") ?? null)));
      return [...untold(absent), ...odd(probes, values, "torch", byMinor).map(withoutLocal)];
    },
  },
  {
    ...cluster,
    id: "ver.cuda",
    title: "the CUDA of torch across hosts",
    why: "ranks of different builds bring different NCCL",
    fix: SYNC,
    verify: on("{python} -c 'import torch; print(torch.version.cuda)'"),
    isBlocking: true,
    proof: "broken",
    judge: (probes, { spec }) => {
      if (!isTorch(spec)) return skipAll(probes, "the job is a command of its own");
      const { values, absent } = differences(probes, ({ torch }) =>
        torch === null ? null : (torch.cuda ?? (torch.hip === null ? "none (CPU only)" : `ROCm ${torch.hip}`)),
      );
      const isUsed = spec.hosts.some(wantsGpus);
      const found = odd(probes, values, "torch for CUDA", () => (isUsed ? "fail" : "warn"));
      return [...untold(absent), ...found.map(fromItsIndex)];
    },
  },
  {
    ...cluster,
    id: "ver.nccl",
    title: "the NCCL version across hosts",
    why: "ranks refuse one another: Mismatched NCCL version detected",
    fix: on("{python} -m pip install {usual}", "better torch anew, as on {like}"),
    verify: on("{python} -c 'import torch; print(torch.cuda.nccl.version())'"),
    isBlocking: true,
    proof: "unproven",
    judge: (probes, { spec }) => {
      if (!spec.hosts.some(wantsGpus)) return skipAll(probes, "no GPU is wanted: gloo is used");
      const { values, absent } = differences(probes, ncclOf);
      const missing = absent.map((name): Said => ({ host: name, ...skip("no package of NCCL there: it is part of torch, or the system's") }));
      return [...missing, ...odd(probes, values, "NCCL", () => "fail")];
    },
  },
  ...["accelerate", "deepspeed", "transformers"].map(
    (name): ClusterCheck => ({
      ...cluster,
      id: `ver.${name}`,
      title: `the ${name} version across hosts`,
      why: "ranks that run different code wait for different collectives",
      fix: REBUILD,
      verify: on(`{python} -m pip show ${name}`),
      isBlocking: false,
      proof: name === "accelerate" ? "broken" : "unproven",
      judge: (probes, { spec }) => {
        if (!isTorch(spec)) return skipAll(probes, "the job is a command of its own");
        const { values, absent } = differences(probes, ({ packages }) => packages?.[name] ?? null);
        if (values.length === 0) return skipAll(probes, `${name} is on no host`);
        const usual = compare(values)?.usual ?? "";
        const like = values[0]?.host ?? "";
        const missing = absent.map((host): Said => {
          const words = { usual, like, package: name, python: pythonOn(probes, host) };
          return { host, ...warn(`no ${name}`, { expected: `${usual}, as on ${names(values.map((one) => one.host))}`, words }) };
        });
        return [...missing, ...odd(probes, values, name, () => "warn")];
      },
    }),
  ),
  {
    ...cluster,
    id: "ver.env",
    tier: "full",
    title: "packages across hosts",
    why: "a package that differs is a rank that computes something else",
    fix: SYNC,
    verify: "nexadist diag --full --only ver.env",
    isBlocking: false,
    proof: "unproven",
    judge: (probes, { spec }) => {
      if (!isTorch(spec)) return skipAll(probes, "the job is a command of its own");
      const found = probes.map((probe) => ({ host: probe.host, packages: jobPython(probe).packages ?? {} }));
      const values = found.map(({ host, packages }) => ({ host, value: JSON.stringify(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1))) }));
      const compared = compare(values);
      const like = values.find(({ value }) => value === compared?.usual)?.host ?? "";
      const usual = found.find(({ host }) => host === like)?.packages ?? {};
      return (compared?.odd ?? []).map(({ host }) => {
        const mine = found.find((one) => one.host === host)?.packages ?? {};
        const all = [...new Set([...Object.keys(usual), ...Object.keys(mine)])].sort();
        const evidence = all
          .filter((name) => usual[name] !== mine[name])
          .map((name) => `${name}: ${mine[name] ?? "none"}; on ${like} ${usual[name] ?? "none"}`);
        return { host, ...warn(`${evidence.length} packages differ from ${like}`, { evidence: evidence.slice(0, 20), words: { like } }) };
      });
    },
  },
  {
    ...cluster,
    id: "ver.os",
    tier: "full",
    needs: [],
    title: "the system across hosts",
    why: "a difference in the C library or the kernel shows where nobody looks for it",
    fix: "nothing needs to be done while all else is alike; else bring {host} to {usual}, or use one container image everywhere",
    who: "root",
    verify: "nexadist exec -- cat /etc/os-release",
    isBlocking: false,
    proof: "unproven",
    judge: (probes) =>
      odd(
        probes,
        probes.map((probe) => {
          const text = [...filesOf(probe, "os").values()][0] ?? "";
          const name = /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(text)?.[1] ?? "an unnamed system";
          return { host: probe.host, value: `${name}, ${probe.facts.libc.kind} ${probe.facts.libc.version}, ${probe.facts.arch}` };
        }),
        "runs",
        () => "warn",
      ),
  },
];
