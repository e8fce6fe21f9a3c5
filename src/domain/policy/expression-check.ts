/** What an expression may say: known before it is first evaluated, so that a policy is broken at once and not at some mint. */
import { type CelFunc, CelScalar, celEnv, celFunc, celList, listType, type parse } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { RE2JS } from '@bufbuild/re2';
import { ERROR, INDEXED, RANGE } from './expression-meter.ts';

/** Comprehensions in comprehensions. */
const NESTING_MAX = 2;
/** Instructions that all regular expressions together may become: x{1,63} is about 130. */
const PROGRAMS_MAX = 1000;
/** What takes long before it is known how long it takes. */
const LARGE = /\\[pP]|\{[0-9]*,?[0-9]{3,}/;

export type Expr = ReturnType<typeof parse>['expr'];
type Kind<Case> = Extract<Expr['exprKind'], { case: Case }>['value'];

/** By their names in the tree: what the planner does itself, without a function. */
const OPERATORS = new Set(['_&&_', '_||_', '_?_:_', '_[_]', '@not_strictly_false']);
const TYPES = ['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint'];
/** They make much of little, or take long for it. */
const LEFT_OUT = new Set(['strings.quote', 'format', 'replace']);

/** What a node of a loop costs each time: one that selects may make an error. */
const SELECT = ERROR;

const { DYN, INT } = CelScalar;
const LIST = listType(DYN);

export const FUNCTIONS: readonly CelFunc[] = [
  ...celEnv({ funcs: strings.filter(({ name }) => !LEFT_OUT.has(name)) }).funcs,
  celFunc(RANGE, [DYN, INT], DYN, (range) => range),
  celFunc(INDEXED, [DYN], DYN, (operand) => operand),
  // the library's own is a chain, which costs more with every link
  celFunc('_+_', [LIST, LIST], LIST, (left, right) => celList([...left, ...right])),
];

const NAMES = new Set(FUNCTIONS.map(({ name }) => name));

/**
 * Marks in the tree what the meter has to see.
 * @returns the regular expressions in it
 * @throws RangeError that says what is wrong
 */
export function check(tree: Expr, variables: readonly string[]): Map<string, RE2JS> {
  const programs = new Map<string, RE2JS>();
  visit(tree, new Set([...variables, ...TYPES]), 0);
  return programs;

  /** @returns what the nodes cost, without their calls, and without what loops do each time */
  function visit({ exprKind }: Expr, known: ReadonlySet<string>, depth: number): number {
    const all = (...nodes: (Expr | undefined)[]) =>
      nodes.reduce((sum, one) => sum + (one === undefined ? 0 : visit(one, known, depth)), 1);
    switch (exprKind.case) {
      case 'constExpr':
        return 1;
      case 'identExpr': {
        const { name } = exprKind.value;
        if (!known.has(name)) throw new RangeError(`"${name}" is not known: use ${variables.join(', ')}`);
        return 1;
      }
      case 'selectExpr':
        return SELECT + all(exprKind.value.operand);
      case 'listExpr':
        return all(...exprKind.value.elements);
      case 'structExpr': {
        const { messageName, entries } = exprKind.value;
        if (messageName !== '') throw new RangeError(`"${messageName}" is not known: use no messages`);
        return all(
          ...entries.flatMap(({ keyKind, value }) => [keyKind.case === 'mapKey' ? keyKind.value : undefined, value]),
        );
      }
      case 'callExpr':
        return visitCall(exprKind.value, all);
      case 'comprehensionExpr':
        return visitLoop(exprKind.value, known, depth);
      default:
        throw new RangeError('the expression has a part that is not known');
    }
  }

  function visitCall(call: Kind<'callExpr'>, all: (...nodes: (Expr | undefined)[]) => number): number {
    const { function: name, target, args } = call;
    if (!NAMES.has(name) && !OPERATORS.has(name)) throw new RangeError(`there is no function ${name}`);
    if (name === 'matches') {
      const pattern = textOf(args[0]);
      if (target === undefined || args.length !== 1 || pattern === undefined)
        throw new RangeError('give matches() its pattern as a literal, as in text.matches("^[a-z]+$")');
      addProgram(pattern);
    }
    const nodes = all(target, ...args);
    const [operand, ...rest] = args;
    if (name === '_[_]' && operand) call.args = [callOf(INDEXED, operand), ...rest];
    return nodes;
  }

  function addProgram(pattern: string): void {
    programs.set(pattern, programs.get(pattern) ?? compiled(pattern));
    const size = [...programs.values()].reduce((sum, one) => sum + one.re2().prog.inst.length, 0);
    if (size > PROGRAMS_MAX) throw new RangeError(`${JSON.stringify(pattern)} is too large: use smaller repetitions`);
  }

  function visitLoop(loop: Kind<'comprehensionExpr'>, known: ReadonlySet<string>, depth: number): number {
    const { iterRange, accuInit, loopStep, loopCondition, result } = loop;
    if (!iterRange || !accuInit || !loopStep || !loopCondition || !result) throw new RangeError('a loop lacks a part');
    if (depth >= NESTING_MAX)
      throw new RangeError(`nest at most ${NESTING_MAX} of all, exists, exists_one, filter and map`);
    const inside = new Set([...known, loop.iterVar, loop.accuVar]);
    const each = visit(loopStep, inside, depth + 1) + visit(loopCondition, inside, depth + 1);
    const once = visit(iterRange, known, depth) + visit(accuInit, known, depth) + visit(result, inside, depth);
    loop.iterRange = callOf(RANGE, iterRange, constant(iterRange, each));
    return once;
  }
}

function textOf(node: Expr | undefined): string | undefined {
  if (node?.exprKind.case !== 'constExpr') return undefined;
  const { constantKind } = node.exprKind.value;
  return constantKind.case === 'stringValue' ? constantKind.value : undefined;
}

function compiled(pattern: string): RE2JS {
  if (LARGE.test(pattern))
    throw new RangeError(`${JSON.stringify(pattern)} is too large: use repetitions below 100, and no \\p`);
  try {
    return RE2JS.compile(pattern);
  } catch {
    throw new RangeError(`${JSON.stringify(pattern)} is no regular expression of RE2`);
  }
}

function callOf(name: string, operand: Expr, ...rest: Expr[]): Expr {
  const value = { $typeName: 'cel.expr.Expr.Call' as const, function: name, args: [operand, ...rest] };
  return { $typeName: 'cel.expr.Expr', id: operand.id, exprKind: { case: 'callExpr', value } };
}

function constant({ id }: Expr, number: number): Expr {
  const constantKind = { case: 'int64Value' as const, value: BigInt(number) };
  return {
    $typeName: 'cel.expr.Expr',
    id,
    exprKind: { case: 'constExpr', value: { $typeName: 'cel.expr.Constant', constantKind } },
  };
}
