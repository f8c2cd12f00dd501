import type { Store } from '#store'
import { feedContract } from './store-feed.ts'
import type { Held, Opening } from './store-fixtures.ts'
import { ledgerContract } from './store-ledger.ts'
import { shelvesContract } from './store-shelves.ts'
import { stretchesContract } from './store-stretches.ts'

/** What every store must do. https://hl7.org/fhir/R4/http.html#transactional-integrity is what it serves. */
export function storeContract(name: string, open: Opening<Store>): void {
  describe(`${name} as a store`, () => {
    const held = {} as Held<Store>
    let dispose: () => Promise<void>

    beforeEach(async () => {
      const opened = await open()
      held.subject = opened.subject
      dispose = opened.dispose
    })
    afterEach(() => dispose())

    ledgerContract(held)
    shelvesContract(held)
    feedContract(held, open)
    stretchesContract(held)
  })
}
