/**
 * vault – keys and envelopes: roots, the instance key, compartment keys; what they seal, open, fingerprint and destroy.
 * It must never know: what a resource is, who asks for it, what SQL or HTTP are.
 * The one idea: a compartment's key is random and exists nowhere else, so destroying it erases whatever it sealed.
 * Its data: wrapped keys in the keystore (a KeyStore), sealed documents in the store. Decisions: README.md beside this file.
 */
export { type Changing, changeInTurn } from './changing.ts'
export type { CompartmentKeys, CompartmentKind } from './compartment-keys.ts'
export type { PlannedCompartment } from './compartments.ts'
export { type DocumentCommits, type DocumentDraft, type PlacedDraft, placeDraft } from './document-drafts.ts'
export { type DocumentOptions, type Documents, type Found, type NamedFound, openDocuments } from './documents.ts'
export type { Keystore, KeystoreFault, Noted } from './keystore/keystore.ts'
export type { KeyRow } from './keystore/vouching.ts'
export { isPaired, pairStore } from './pair-store.ts'
export type { Recovery, RecoveryState } from './recovery.ts'
export { isSealFault } from './ring.ts'
export { fileRoot, nextFileRoot } from './roots/file-root.ts'
export { passphraseRoot } from './roots/passphrase-root.ts'
export { newRecoveryCode, recoveryRoot } from './roots/recovery-root.ts'
export type { RootParams, RootProvider } from './roots/root-provider.ts'
export { type InstanceRotation, type Rotated, rotateInstance } from './rotate-instance.ts'
export { newScratchSeal, type ScratchSeal } from './scratch-seal.ts'
export { exchanged } from './set-digest.ts'
export { openVault, type Vault, type VaultOptions } from './vault.ts'
export { wipeForgotten } from './wiping.ts'
