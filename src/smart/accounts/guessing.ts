import { Problem } from '#kernel'

/** Fewer guesses than this (10 to the power) are what a thief of the hashes can afford. */
const fewestGuessesLog10 = 9
/** What is judged of a password: a long one is strong by its beginning, and judging takes longer than its length. */
const judgedLength = 48
const mostSubstitutions = 16
/** Shorter words stand in other words by chance. */
const shortestWord = 4
/** The rest of a weak judgement, where the library has nothing to say. */
const plainAdvice = 'Several words that have nothing to do with each other are hard to guess.'

/** How many guesses a password stands, and why so few. */
type Judge = (password: string, words: readonly string[]) => { readonly guessesLog10: number; readonly advice: string }

/** Dictionaries of some megabytes, read when the first password is chosen, and then kept. */
let judge: Promise<Judge> | undefined

async function loadJudge(): Promise<Judge> {
  const [{ ZxcvbnFactory }, common, english] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ])
  const zxcvbn = new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    translations: english.translations,
    l33tMaxSubstitutions: mostSubstitutions,
  })
  return (password, words) => {
    const { guessesLog10, feedback } = zxcvbn.check(password.slice(0, judgedLength), [...words])
    const said = [feedback.warning, ...feedback.suggestions].filter(text => text !== null && text !== '')
    return { guessesLog10, advice: said.length > 0 ? said.join(' ') : plainAdvice }
  }
}

/** What of the server's name people would put into a password: the host, and its labels but the last. */
export function wordsOfHost(baseUrl: string): readonly string[] {
  const { hostname } = new URL(baseUrl)
  return ['kinhold', hostname, ...hostname.split('.').slice(0, -1)].filter(isTelling)
}

function wordsOfName(name: string): readonly string[] {
  return [name, name.replaceAll(/\s/g, ''), ...name.split(/[\s.@_-]+/)]
    .map(text => text.toLowerCase())
    .filter(isTelling)
}

function isTelling(word: string): boolean {
  return word.length >= shortestWord && !/^\d+$/.test(word)
}

const tooCommon = (advice: string) =>
  new Problem('unprocessable', 'smart.password-common', `This password would soon be guessed. ${advice}`)

/**
 * Refuses a password that many people have, that is in lists of stolen ones, that follows a pattern, or that holds the
 * name of the account or the server. Nobody outside is asked.
 *
 * @param hostWords  of `wordsOfHost`
 * @throws Problem `unprocessable` · `smart.password-common`; the text says what is wrong and quotes nothing of it
 * @see https://pages.nist.gov/800-63-4/sp800-63b.html section 3.1.1.2
 */
export async function checkGuessing(
  password: string,
  accountName: string,
  hostWords: readonly string[],
): Promise<void> {
  const plain = password.normalize('NFKC')
  const words = [...wordsOfName(accountName), ...hostWords]
  const told = plain.toLowerCase()
  if (words.some(word => told.includes(word)))
    throw tooCommon('It holds your name, the name of this server, or “Kinhold”.')
  judge ??= loadJudge()
  const { guessesLog10, advice } = (await judge)(plain, words)
  if (guessesLog10 < fewestGuessesLog10) throw tooCommon(advice)
}
