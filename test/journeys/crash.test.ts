import { stopSharedMongo, whereMongoIs } from '../contracts/mongo-server.ts'
import { randomFrom } from '../random.ts'
import { killAgainAndAgain, middle, type Told } from './crash/kill-again.ts'
import { newHome } from './server/home.ts'
import { newMongoHome } from './server/mongo-home.ts'

/** Several houses, each killed ten times: what is checked after a kill takes the longer, the more a house holds. */
const houses = 5
const killsPerHouse = 10
const sideBySide = 2
const acknowledgedPerRound = 205
/** Each write is some trips to a database; whoever wants more kills says how many. */
const killsOnMongo = Number(process.env.CRASH_KILLS ?? 1)
const acknowledgedOnMongo = 30

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

describe('killed under write load – durability as promised by 201 and 200, https://hl7.org/fhir/R4/http.html#create', () => {
  const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000)

  it(`keeps every acknowledged write and no half of any, ${houses * killsPerHouse} times (seed ${seed})`, async () => {
    const waiting = Array.from({ length: houses }, (_, at) => at + 1)
    const told: Told[] = []
    const killNext = async () => {
      for (let house = waiting.shift(); house !== undefined; house = waiting.shift())
        told.push(
          await killAgainAndAgain(await newHome('crash'), {
            name: `house-${house}`,
            kills: killsPerHouse,
            acknowledgedPerRound,
            random: randomFrom(seed + house),
          }),
        )
    }
    await Promise.all(Array.from({ length: sideBySide }, killNext))
    const acknowledged = sum(told.map(each => each.acknowledged))
    const kills = sum(told.map(each => each.kills))
    const bootsMs = told.flatMap(each => each.bootsMs)
    expect(kills).toBe(50)
    expect(acknowledged).toBeGreaterThanOrEqual(10_000)
    process.stderr.write(
      `crash: ${acknowledged} acknowledged writes (${sum(told.map(each => each.versions))} versions), ${kills} kills, ` +
        `boot ${middle(bootsMs)} ms median, ${Math.round(Math.max(...bootsMs))} ms at most\n`,
    )
  }, 1_200_000)

  whereMongoIs(() => {
    afterAll(stopSharedMongo)

    it(`does so on a MongoDB, ${killsOnMongo} times (seed ${seed})`, async () => {
      const told = await killAgainAndAgain(await newMongoHome('crash'), {
        name: 'mongodb',
        kills: killsOnMongo,
        acknowledgedPerRound: acknowledgedOnMongo,
        random: randomFrom(seed),
      })
      expect(told.kills).toBe(killsOnMongo)
    }, 1_200_000)
  })
})
