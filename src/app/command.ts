/**
 * Commands, on commander: flags are a table, from which its options, their environment twins, --help and the typed values are
 * made. Whatever is wrong with a command line becomes a UsageError, in our own sentences.
 *
 * Commander's own environment variables and defaults are not used: it counts an empty variable as given, and a switch as on
 * whatever its variable says.
 */
import { Command, type CommanderError, Option } from 'commander';
import { redact } from '../telemetry/redact.ts';
import { oneOf, type Reader, yesOrNo } from './flags.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Used wrongly: exit code 2, and the message on stderr as it is. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(command: Command, problems: readonly string[]) {
    // somebody may have given a token's value where none belongs
    super(redact(`${problems.join('\n')}\nRun "${pathOf(command)} --help" for all flags.\n`));
  }
}

/** --help or --version was asked for, and is printed: exit code 0. */
export class HelpShown extends Error {}

export interface Flag<T> {
  readonly help: string;
  readonly short?: string;
  /** What stands for the value in --help. A flag without one is a switch. */
  readonly placeholder?: string;
  /** Read where nothing is given. */
  readonly fallback?: string;
  /** May be given several times; in the environment, with commas. */
  readonly isList?: boolean;
  /** --x=false and --no-x say no. */
  readonly isNegatable?: boolean;
  /** All that it can be, for completion. */
  readonly choices?: readonly string[];
  readonly take: (texts: readonly string[]) => Taken<T>;
}

type Taken<T> = { readonly value: T } | { readonly problem: string; readonly text: string };

/** By name, without dashes. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;

export type Values<F extends Flags> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

export function optional<T>(placeholder: string, read: Reader<T>, help: string, short?: string): Flag<T | undefined> {
  return {
    help,
    placeholder,
    ...(short !== undefined && { short }),
    take: ([text]) => (text === undefined ? { value: undefined } : taken(read, text)),
  };
}

export function choice<const T extends string>(
  placeholder: string,
  choices: readonly T[],
  help: string,
  short?: string,
): Flag<T | undefined> {
  return { ...optional(placeholder, oneOf(choices), help, short), choices };
}

export function withDefault<T>(placeholder: string, read: Reader<T>, fallback: string, help: string): Flag<T> {
  return { help, placeholder, fallback, take: ([text = fallback]) => taken(read, text) };
}

/** Without repeats, in their order. */
export function repeatable<T>(placeholder: string, read: Reader<T>, help: string, short?: string): Flag<readonly T[]> {
  return {
    help,
    placeholder,
    ...(short !== undefined && { short }),
    isList: true,
    take: (texts) => {
      const values: T[] = [];
      for (const text of texts) {
        const result = taken(read, text);
        if ('problem' in result) return result;
        values.push(result.value);
      }
      return { value: [...new Set(values)] };
    },
  };
}

/** A switch that can be turned off too. */
export function onOff(fallback: 'true' | 'false', help: string): Flag<boolean> {
  return { help, fallback, isNegatable: true, take: ([text = fallback]) => taken(yesOrNo, text) };
}

/** A switch that is off unless given. */
export function onlyOn(help: string, short?: string): Flag<boolean> {
  return { help, ...(short !== undefined && { short }), take: ([text = 'false']) => taken(yesOrNo, text) };
}

function taken<T>(read: Reader<T>, text: string): Taken<T> {
  const result = read(text);
  return 'value' in result ? result : { problem: result.problem, text };
}

export interface CommandOptions {
  readonly name: string;
  readonly description: string;
  readonly flags?: Flags;
  /** Each flag can be given as an environment variable too. */
  readonly hasTwins?: boolean;
}

export function createCommand({ name, description, flags = {}, hasTwins = false }: CommandOptions): Command {
  const command = new Command(name).description(description);
  command.exitOverride((error) => {
    if (error.exitCode === 0) throw new HelpShown();
    throw new UsageError(command, [sentenceOf(command, error)]);
  });
  // told by whoever catches the UsageError
  command.configureOutput({ outputError: () => {} });
  command.helpOption('-h, --help', 'This text.');
  // the descriptions say all that there is to say
  command.configureHelp({ optionDescription: (option) => option.description });
  for (const [flag, details] of Object.entries(flags)) {
    for (const option of optionsOf(flag, details, hasTwins)) command.addOption(option);
  }
  return command;
}

/**
 * Reads the flags of a command that was parsed. A flag wins over its environment variable; an empty variable counts as unset.
 * @param env to look for twins in; none are read unless given.
 * @throws UsageError with one sentence for each flag that cannot be read
 */
export function valuesOf<F extends Flags>(command: Command, flags: F, env: Environment = {}): Values<F> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const given = givenTexts(command, name);
    const fault = given && faultIn(name, flag, given);
    if (fault !== undefined) {
      problems.push(fault);
      continue;
    }
    const result = flag.take(given ?? twinTexts(name, flag, env));
    if ('value' in result) values[name] = result.value;
    else {
      const place = given === undefined ? twinOf(name) : `--${name}`;
      problems.push(`${place} ${result.problem}, not ${JSON.stringify(result.text)}.`);
    }
  }
  if (problems.length > 0) throw new UsageError(command, problems);
  return values as Values<F>;
}

/**
 * Reads what stands after the command besides flags.
 * @throws UsageError with one sentence for each that cannot be read
 */
export function argumentsOf<T>(command: Command, read: Reader<T>): readonly T[] {
  const problems: string[] = [];
  const values = command.args.flatMap((text) => {
    const result = read(text);
    if ('value' in result) return [result.value];
    problems.push(`${command.registeredArguments[0]?.name()} ${result.problem}, not ${JSON.stringify(text)}.`);
    return [];
  });
  if (problems.length > 0) throw new UsageError(command, problems);
  return values;
}

function optionsOf(name: string, flag: Flag<unknown>, hasTwins: boolean): Option[] {
  const { short, placeholder, fallback, isNegatable = false } = flag;
  const notes = [hasTwins ? twinOf(name) : '', fallback === undefined ? '' : `default ${fallback}`].filter(Boolean);
  const about = notes.length === 0 ? flag.help : `${flag.help} [${notes.join('; ')}]`;
  const dashes = short === undefined ? `--${name}` : `-${short}, --${name}`;
  const value = placeholder !== undefined ? ` <${placeholder}>` : isNegatable ? ' [BOOL]' : '';
  // all are kept, so that a flag given twice is noticed; -n=support is what kubectl takes, and commander hands over with its =
  const keep = (text: string, before: string[] | undefined) => [
    ...(before ?? []),
    short === undefined ? text : text.replace(/^=/, ''),
  ];
  const option = new Option(dashes + value, about).preset('true').argParser(keep);
  if (flag.choices !== undefined) option.argChoices = [...flag.choices];
  if (!isNegatable) return [option];
  return [option, new Option(`--no-${name}`, 'The contrary.').preset('false').argParser(keep)];
}

function givenTexts(command: Command, name: string): readonly string[] | undefined {
  const attribute = new Option(`--${name}`).attributeName();
  return command.getOptionValueSource(attribute) === 'cli' ? command.getOptionValue(attribute) : undefined;
}

function faultIn(name: string, flag: Flag<unknown>, texts: readonly string[]): string | undefined {
  // `--context --workers=4`: the next flag is not a value
  if (texts.some((text) => text === '' || text.startsWith('--')))
    return `--${name} needs a value: --${name}=${flag.placeholder ?? 'BOOL'}.`;
  return texts.length > 1 && flag.isList !== true ? `--${name} is given twice.` : undefined;
}

function twinTexts(name: string, flag: Flag<unknown>, env: Environment): readonly string[] {
  const text = env[twinOf(name)]?.trim();
  if (!text) return [];
  if (flag.isList !== true) return [text];
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

function twinOf(name: string): string {
  return `TOKENWRIGHT_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** What commander says, in our words. It names what it speaks of in its message only. */
function sentenceOf(command: Command, { code, message }: CommanderError): string {
  const subject = /'(.*?)'/s.exec(message)?.[1] ?? '';
  switch (code) {
    case 'commander.unknownOption': {
      const flag = subject.replace(/=.*/s, '');
      const isKnown = command.options.some(({ long }) => long === flag);
      if (isKnown) return `${flag} takes no value.`;
      return `There is no flag ${flag}.${hintIn(flag === subject ? message : messageAbout(command, flag))}`;
    }
    case 'commander.optionMissingArgument': {
      const [flag = '', placeholder = ''] = subject.replace(/^-., /, '').split(' ');
      return `${flag} needs a value: ${flag}=${placeholder.replaceAll(/[<>]/g, '')}.`;
    }
    case 'commander.unknownCommand':
      return `There is no command ${JSON.stringify(subject)}.${hintIn(message)}`;
    case 'commander.excessArguments':
      return `Unexpected argument ${JSON.stringify(command.args[command.registeredArguments.length])}.`;
    case 'commander.missingArgument':
      return `${subject} is missing.`;
    case 'commander.help':
      return 'Name a command.';
    default:
      return message;
  }
}

function hintIn(message: string): string {
  const suggestion = /\((Did you mean .*)\)$/s.exec(message)?.[1];
  return suggestion === undefined ? '' : ` ${suggestion}`;
}

/** What commander says of that flag alone: where a value follows after =, it compares both as one word. */
function messageAbout({ options }: Command, flag: string): string {
  const probe = new Command().exitOverride().configureOutput({ outputError: () => {} });
  for (const option of options) probe.addOption(option);
  try {
    probe.parse([flag], { from: 'user' });
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return '';
}

/** As it is called: "tokenwright operator". */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
