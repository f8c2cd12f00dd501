import type { Store } from '#store'
import { feedContract } from './store-feed.ts'
import type { Held, Opening } from './store-fixtures.ts'
import { ledgerContract } from './store-ledger.ts'
import { restoreContract } from './store-restore.ts'
import { shelvesContract } from './store-shelves.ts'
import { stretchesContract } from './store-stretches.ts'

/** How much is a lot: more entries than fit into one step of a removal; a multiple of 30. */
interface Sizes {
  readonly many?: number
}

/** What every store must do. https://hl7.org/fhir/R4/http.html#transactional-integrity is what it serves. */
export function storeContract(name: string, open: Opening<Store>, { many = 3_000 }: Sizes = {}): void {
  describe(`${name} as a store`, () => {
    const held = {} as Held<Store>
    let dispose: () => Promise<void>

    beforeEach(async () => {
      const opened = await open()
      held.subject = opened.subject
      dispose = opened.dispose
    })
    afterEach(() => dispose())

    ledgerContract(held, many)
    shelvesContract(held, many)
    feedContract(held, open)
    stretchesContract(held, many)
    restoreContract(held)
  })
}
