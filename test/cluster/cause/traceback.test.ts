/** The exception that ended a rank, read from what Python and torch print. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crashFrame, exceptionOf, lastException, placeOf, tellException, tellFrame } from "../../../cluster/cause/traceback.ts";

const told = (text: string): string | null => {
  const exception = lastException(text);
  return exception === null ? null : tellException(exception);
};

const PLAIN = `step 3
Traceback (most recent call last):
  File "/home/u/run/train.py", line 120, in <module>
    main()
  File "/home/u/run/train.py", line 88, in step
    raise ValueError("bad batch")
ValueError: bad batch
`;

test("the innermost frame of the user's code, not of a library", () => {
  assert.equal(told(PLAIN), "raised ValueError: bad batch at train.py:88 in step()");
  const inLibrary = PLAIN.replace(
    "ValueError: bad batch",
    '  File "/opt/env/lib/python3.12/site-packages/torch/nn/functional.py", line 9, in linear\n    return f(x)\nRuntimeError: mat1 and mat2 shapes cannot be multiplied (4x3 and 5x6)',
  );
  assert.equal(told(inLibrary), "raised RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x3 and 5x6) at train.py:88 in step()");
});

test("torch's and torchrun's prefixes, carets, and words after the traceback", () => {
  const prefixed = PLAIN.replace(/^/gm, "[rank1]: ").replace(
    "bad batch\n",
    "bad batch\n[rank1]:[W1124 ProcessGroupNCCL.cpp:1496] Warning: destroy_process_group() was not called\n",
  );
  assert.equal(told(prefixed), "raised ValueError: bad batch at train.py:88 in step()");
  const carets = PLAIN.replace('raise ValueError("bad batch")', 'raise ValueError("bad batch")\n    ^^^^^^^^^^^^^^^^^^^^^^');
  assert.equal(told(carets), "raised ValueError: bad batch at train.py:88 in step()");
  assert.equal(told(PLAIN.replaceAll("\n", "\r\n")), "raised ValueError: bad batch at train.py:88 in step()");
});

test("of a chain the last, which reached the top", () => {
  const chain = `${PLAIN}
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/home/u/run/train.py", line 130, in <module>
    save()
OSError: [Errno 28] No space left on device: '/ckpt/7'
`;
  assert.equal(told(chain), "raised OSError: [Errno 28] No space left on device: '/ckpt/7' at train.py:130");
});

test("a syntax error has no traceback header", () => {
  assert.equal(
    told('  File "/home/u/run/train.py", line 3\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n'),
    "raised SyntaxError: invalid syntax at train.py:3",
  );
});

test("no traceback is no exception, a cut one neither", () => {
  assert.equal(told("loss 3\nValueError: this is only a log line\n"), null);
  assert.equal(told('Traceback (most recent call last):\n  File "/x/train.py", line 1, in <module>\n'), null);
});

test("an error file of torch.distributed.elastic, with a call stack or without", () => {
  assert.equal(tellException(exceptionOf("ValueError: bad batch", PLAIN) ?? assert.fail()), "raised ValueError: bad batch at train.py:88 in step()");
  assert.equal(tellException(exceptionOf("ValueError: bad batch", "") ?? assert.fail()), "raised ValueError: bad batch");
  assert.equal(exceptionOf("!!", ""), null);
});

test("a place is the same in every attempt: no addresses, numbers or directories", () => {
  const at = (text: string): string => placeOf(lastException(text) ?? assert.fail());
  assert.equal(at(PLAIN), "train.py:88 ValueError");
  assert.equal(at(PLAIN.replaceAll("/home/u/run", "/home/u/run2").replace("bad batch\n", "bad batch 7 <object at 0x7f01>\n")), "train.py:88 ValueError");
  assert.equal(placeOf(exceptionOf("KeyError: 'x' 17 at 0x7f", "") ?? assert.fail()), "KeyError 'x' # at #");
});

test("a native crash: the user's frame of the thread that crashed", () => {
  const fatal = `Fatal Python error: Segmentation fault

Current thread 0x00007f0abec9e740 (most recent call first):
  File "/opt/python/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/u/run/train.py", line 7 in step
  File "/home/u/run/train.py", line 15 in <module>

Extension modules: numpy._core._multiarray_umath (total: 1)
`;
  assert.equal(tellFrame(crashFrame(fatal)), " at train.py:7 in step()");
  assert.equal(crashFrame("Fatal Python error: Aborted\n\nThread 0x00007f7d (most recent call first):\n  <no Python frame>\n"), null);
  assert.equal(crashFrame("Segmentation fault"), null);
});

test("any text is read", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.nat(PLAIN.length), (text, at) => void told(PLAIN.slice(0, at) + text + PLAIN.slice(at))));
});
