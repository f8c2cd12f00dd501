import type { Config } from '#config'
import { isProblem, Problem } from '#kernel'

const keyFile = 'root.key in the folder that KINHOLD_KEYS names'
const orCode = 'Put back the file that was there; if it is lost, the recovery code opens the house: kinhold recover.'
const passphrase = 'KINHOLD_PASSPHRASE (or the file that KINHOLD_PASSPHRASE_FILE names)'

/** What the person who starts something can do when the root does not open the keystore, by code and by what they gave. */
const texts: Readonly<Record<string, { readonly given?: string; readonly none?: string }>> = {
  'vault.root-missing': {
    given: `The keys of this house are not protected by a passphrase: take ${passphrase} away.`,
    none: 'The keys of this house are protected by a passphrase, and none was given: name its file in KINHOLD_PASSPHRASE_FILE.',
  },
  'vault.key-file-missing': { none: `The key file of this house is not there: ${keyFile}. ${orCode}` },
  'vault.key-file-malformed': { none: `The key file of this house is damaged: ${keyFile}. ${orCode}` },
  'vault.root-refused': {
    none: `The key file does not open the keystore: ${keyFile}. It is another house's, or this one's of another time, or the keystore was altered. ${orCode}`,
    given: `${passphrase} holds another passphrase than that of this house.`,
  },
  'vault.passphrase-too-short': {
    given: `${passphrase} is no passphrase of a house: those have at least 8 characters.`,
  },
}

/** The same fault in words that name the variable; whatever else it is, as it was. */
export function namingRoot(error: unknown, config: Config): unknown {
  if (!isProblem(error) || config.recoveryCode !== undefined) return error
  const text = texts[error.code]?.[config.passphrase === undefined ? 'none' : 'given']
  if (text === undefined) return error
  const expression =
    config.passphrase === undefined && error.code !== 'vault.root-missing' ? 'KINHOLD_KEYS' : 'KINHOLD_PASSPHRASE'
  return new Problem(error.kind, error.code, text, { cause: error, expression })
}
